"""The cast and the stage. alice and bob are members, anna is an auditor, olga an operator, root administers."""

import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import connections
from django.test import TransactionTestCase

from portal import environment, models
from portal.db import places
from portal.models.canonical_json import write_json
from portal.services.audit import events
from portal.services.key import accounts
from portal.services.key.databases import MEMORY
from portal.web import streams
from tests import beginning, dbclock, factories
from tests.browser import Browser
from tests.mailserver import MailServer
from tests.provider import server

SCRYPT = hashlib.scrypt
WRITTEN = set[str]()  # verbs of events, in any test


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark what uses the database: all else is the same on each of them."""
    for item in items:
        if item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(item.fixturenames):
            item.add_marker("database")
    items.sort(key=lambda item: item.name == "test_each_verb_was_written")  # behind all others


def pytest_collection_finish() -> None:
    """What is loaded now stays to the end: looking through it again for garbage is in vain."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Django would empty every table after a test that commits, and fill it row by row before the next one."""
    with django_db_blocker.unblock():
        first = beginning.remember()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: first.restore())
        yield


@pytest.fixture(autouse=True, scope="session")
def _fingerprint_quickly() -> Iterator[None]:
    """A fingerprint is slow to make on purpose, and each test's account needs one."""

    def scrypt(secret: bytes, **options: Any) -> bytes:
        return SCRYPT(secret, **options | {"n": 2})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "scrypt", scrypt)
        yield


@pytest.fixture(autouse=True, scope="session")
def _check_each_event() -> Iterator[None]:
    """What holds of every event, whoever makes it in whichever test."""
    write = events._write

    def check(entries: Sequence[events._Entry]) -> None:
        write(entries)
        for event, changes in entries:
            WRITTEN.add(event.verb)
            assert (event.actor_id is None) == (event.actor_name == "")
            assert event.target
            if event.target.startswith("request "):
                assert event.target == f"request R-{event.request_number}"
            for said in (event.detail, *(change.columns for change in changes)):
                assert write_json(json.loads(write_json(said))) == write_json(said)  # it is read as it was signed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_write", check)
        yield


@pytest.fixture
def slow_fingerprints(monkeypatch) -> None:
    """As other processes make them."""
    monkeypatch.setattr(hashlib, "scrypt", SCRYPT)
    accounts._make_fingerprint.cache_clear()


@pytest.fixture(autouse=True)
def _begin_as_a_new_process() -> None:
    """Between tests the database is emptied, which a worker would rightly take for a loss."""
    MEMORY.forget()
    streams.HELD.clear()
    if places.has_file():
        places.remove_file()


@pytest.fixture
def sandbox(settings) -> Iterator[server.Sandbox]:
    with server.Sandbox(look_every=0.005) as running:
        settings.AGENTSTATION_BASE_URL = running.base_url
        settings.AGENTSTATION_API_KEY = "sandbox"
        settings.AGENTSTATION_TOTAL_TIMEOUT = 5.0
        factories.RUNNING.append(running)
        yield running
        factories.RUNNING.remove(running)


@pytest.fixture
def alice(db) -> models.User:
    return factories.create_user("alice", "Members")


@pytest.fixture
def bob(db) -> models.User:
    return factories.create_user("bob", "Members")


@pytest.fixture
def anna(db) -> models.User:
    return factories.create_user("anna", "Auditors")


@pytest.fixture
def olga(db) -> models.User:
    return factories.create_user("olga", "Operators")


@pytest.fixture
def root(db) -> models.User:
    return factories.create_user("root", is_superuser=True)


@pytest.fixture
def client() -> Browser:
    return Browser()


@pytest.fixture
def sign_in() -> Callable[[models.User], Browser]:
    def sign_in(user: models.User) -> Browser:
        client = Browser()
        factories.sign_in(client, user)
        return client

    return sign_in


@pytest.fixture
def database_clock(sandbox) -> Iterator[dbclock.DatabaseClock]:
    clock = dbclock.DatabaseClock()
    yield clock
    clock.remove()


@pytest.fixture(autouse=True)
def _close_other_connections() -> Iterator[None]:
    yield
    for opened in connections.all(initialized_only=True):
        if not opened.in_atomic_block:
            opened.close()


@pytest.fixture
def use_up(settings) -> Callable[[models.User, str, int], None]:
    """As if a person had done something so often in the present minute; limits are on from then."""

    def use_up(person: models.User, kind: str, count: int) -> None:
        settings.PORTAL_LIMITS = True
        models.Limit.objects.update_or_create(kind=kind, who=str(person.pk), defaults={"count": count})

    return use_up


@pytest.fixture
def mails(monkeypatch, settings) -> Iterator[MailServer]:
    with MailServer() as running:
        monkeypatch.setenv("EMAIL_URL", running.url)
        settings.MAILERS, settings.DEFAULT_FROM_EMAIL = environment.read_mail("EMAIL_URL", host="")
        settings.PORTAL_URL = "https://portal.example"
        yield running
