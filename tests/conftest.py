"""The cast and the stage. alice and bob are members, anna is an auditor, olga an operator, root administers."""

from collections.abc import Callable, Iterator

import pytest
from django.core.management.color import Style
from django.db import connection, connections
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import TransactionTestCase

from portal import models, streams
from portal.db import identity as places
from portal.sandbox import server
from portal.services import databases, identity
from tests import dbclock, factories
from tests.browser import Browser


@pytest.fixture(autouse=True, scope="session")
def _empty_the_record_between_tests() -> Iterator[None]:
    """The database refuses to be emptied; between tests it has to be."""
    empty = TransactionTestCase._fixture_teardown

    def empty_unprotected(case: TransactionTestCase) -> None:
        with factories.unprotected():
            empty(case)
            # Django does not know the table of the search index, and its triggers are off too.
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM portal_searchentry")

    def delete_rows(operations: DatabaseOperations, style: Style, tables: list[str], **options: bool) -> list[str]:
        return [f"DELETE FROM {operations.quote_name(table)}" for table in tables]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_unprotected)
        # PostgreSQL truncates a full table at once, but needs most of a second for many that are nearly empty.
        patch.setattr(DatabaseOperations, "sql_flush", delete_rows)
        yield


@pytest.fixture(autouse=True)
def _begin_as_a_new_process() -> None:
    """Between tests the database is emptied, which a worker would rightly take for a loss."""
    identity.MEMORY.forget()
    databases.MADE.clear()
    streams._Place._held.clear()  # a test may leave an answer half read, which a server never does
    if places.has_file():
        places.remove_file()


@pytest.fixture
def sandbox(settings) -> Iterator[server.Sandbox]:
    """A provider of its own for the test, which the portal is set up to use."""
    with server.Sandbox() as running:
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
    """A browser in which nobody is signed in."""
    return Browser()


@pytest.fixture
def sign_in() -> Callable[[models.User], Browser]:
    """A browser in which the person is signed in."""

    def sign_in(user: models.User) -> Browser:
        client = Browser()
        factories.sign_in(client, user)
        return client

    return sign_in


@pytest.fixture
def database_clock(sandbox) -> Iterator[dbclock.DatabaseClock]:
    """The database's clock, which the test can step."""
    clock = dbclock.DatabaseClock()
    yield clock
    clock.remove()


@pytest.fixture(autouse=True)
def _close_other_connections() -> Iterator[None]:
    yield
    for opened in connections.all(initialized_only=True):
        if not opened.in_atomic_block:
            opened.close()
