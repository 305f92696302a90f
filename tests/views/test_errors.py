"""Pages for what went wrong: each says what to do, and none asks a database that is away."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.template.loader import render_to_string
from django.test import Client

from portal import models
from portal.db.connection import execute
from portal.views import errors
from portal.views.components import live
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def locked_elsewhere() -> Iterator[None]:
    """Somebody else holds what is needed, for longer than we wait."""
    is_sqlite = connection.vendor == "sqlite"
    execute("PRAGMA busy_timeout = 1" if is_sqlite else "SET lock_timeout = '1ms'")
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
        cursor.execute("UPDATE portal_key SET tick = tick")
        yield
        cursor.execute("ROLLBACK")
    if not is_sqlite:
        with connection.cursor() as cursor:  # the pool keeps the session, and what was set in it
            cursor.execute("RESET lock_timeout")
    connection.close()  # the next one waits as long as the settings say


@pytest.fixture
def browser(client: Client, alice) -> Client:
    client.force_login(alice)
    client.raise_request_exception = False
    return client


def test_an_unusable_database_is_a_503_and_the_same_form_works_afterwards(sandbox, alice, browser):
    portal_request = factories.submit(alice)
    with locked_elsewhere():
        response = browser.post(f"/requests/{portal_request.pk}/cancel/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "<h1>The portal can't reach its database</h1>" in response.text
    assert "no-store" in response.headers["Cache-Control"]

    assert browser.post(f"/requests/{portal_request.pk}/cancel/").status_code == 302
    assert models.Request.objects.get().status == "CANCELLED"


def test_a_fault_of_ours_is_a_500_that_says_so(browser, monkeypatch):
    monkeypatch.setattr(live, "render", lambda *_: 1 / 0)
    response = browser.get("/")
    assert response.status_code == 500
    assert "The fault is ours, not yours." in response.text


@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html", "slow.html", "busy.html", "413.html", "415.html"])
def test_the_pages_of_a_server_error_ask_the_database_nothing(name, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert "<h1>" in render_to_string(name)


ON_SQLITE = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no timeout of statements")


def test_a_request_that_goes_while_its_page_is_being_made_is_not_found(sandbox, alice, browser):
    number = factories.submit(alice).pk

    def find_nothing(execute, sql, params, many, context):
        is_gone = sql.startswith('SELECT "portal_request"."id"')
        return execute(sql, (0,) if is_gone else params, many, context)

    with connection.execute_wrapper(find_nothing):
        assert browser.get(f"/requests/{number}/").status_code == 404


@ON_SQLITE
@pytest.mark.parametrize("kind", [psycopg.errors.QueryCanceled, psycopg.errors.IdleInTransactionSessionTimeout])
def test_what_took_too_long_is_said(kind, rf):
    try:
        with connection.wrap_database_errors:
            raise kind
    except DatabaseError:
        response = errors.server_error(rf.get("/requests/"))
    assert response.status_code == 503
    assert "<h1>This took too long</h1>" in response.text
    assert "Retry-After" not in response.headers  # the same again would take as long


@ON_SQLITE
def test_only_what_serves_pages_is_limited():
    """Asked of processes of their own: how a connection begins is settled when one starts."""
    ask = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW statement_timeout');"
    ask += " print(k.fetchone()[0])"
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}

    def run(script: str) -> str:
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()

    assert run(f"import portal.wsgi; {ask}") == "15s"
    assert run(f"import django; django.setup(); {ask}") == "0"
