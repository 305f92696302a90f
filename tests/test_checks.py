"""What `check --deploy` says of the way to the database, by the settings alone."""

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection

from portal import checks


def connect_to(monkeypatch, **values: object) -> None:
    """As if the settings named this database. Nobody connects to it, so that Django need not know of the change."""
    database = {"ENGINE": "django.db.backends.postgresql"} | values
    monkeypatch.setattr(django_settings, "DATABASES", {"default": database})


SERVERS = [
    ("db.example", {}, True),
    ("10.0.0.7", {}, True),
    ("db.example", {"sslmode": "verify-full"}, False),
    ("127.0.0.1", {}, False),
    ("::1", {}, False),
    ("localhost", {}, False),
    ("", {}, False),
    ("/var/run/postgresql", {}, False),
    ("", {"host": "/var/run/postgresql"}, False),
    ("", {"host": "db.example"}, True),
    ("127.0.0.1,db.example", {}, True),
    ("localhost", {"hostaddr": "10.0.0.7"}, True),
]


@pytest.mark.parametrize(("host", "options", "is_warned"), SERVERS)
def test_a_way_to_postgresql_that_may_be_read_is_a_warning(monkeypatch, host, options, is_warned):
    connect_to(monkeypatch, HOST=host, OPTIONS=options)
    found = checks.check_encryption(None)
    assert [message.id for message in found] == ["portal.W003"] * is_warned


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("postgres://portal@db.example/portal", True),
        ("postgres://portal@db.example/portal?sslmode=verify-full", False),
        ("postgres://portal@%2Fvar%2Frun/portal", False),
        ("no URL", False),
    ],
)
def test_the_way_past_a_pooler_is_one_too(settings, monkeypatch, url, is_warned):
    connect_to(monkeypatch, HOST="", OPTIONS={})
    settings.PORTAL_LISTEN_URL = url
    words = [str(message.msg) for message in checks.check_encryption(None)]
    assert words == ["PORTAL_LISTEN_URL has no sslmode: it may be read on its way to PostgreSQL."] * is_warned


@pytest.mark.parametrize(
    ("hosts", "is_warned"), [(["*"], True), (["portal.example", "*"], True), ([".example"], False)]
)
def test_a_portal_that_takes_any_host_is_warned_of(settings, hosts, is_warned):
    settings.ALLOWED_HOSTS = hosts
    assert [message.id for message in checks.check_hosts(None)] == ["portal.W005"] * is_warned


def test_sqlite_needs_no_sslmode(monkeypatch):
    connect_to(monkeypatch, ENGINE="django.db.backends.sqlite3")
    assert checks.check_encryption(None) == []


@pytest.mark.django_db
def test_sqlite_has_no_roles():
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL has roles")
    with pytest.raises(CommandError, match="SQLite has no roles"):
        call_command("grants", "portal")
    assert checks.check_role(None) == []
