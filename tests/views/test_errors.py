"""Pages for what went wrong: each says what to do, and none asks a database that is away."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client

from portal import models
from portal.views import home
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@contextmanager
def locked_elsewhere() -> Iterator[None]:
    """Somebody else holds what is needed, for longer than we wait."""
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 1" if is_sqlite else "SET lock_timeout = '1ms'")
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
        cursor.execute("UPDATE portal_key SET turn = turn")
        yield
        cursor.execute("ROLLBACK")
    connection.close()  # the next one waits as long as the settings say


@pytest.fixture
def browser(client: Client, alice) -> Client:
    client.force_login(alice)
    client.raise_request_exception = False
    return client


def test_a_database_that_cannot_be_used_is_said_with_503_and_the_same_form_works_afterwards(sandbox, alice, browser):
    portal_request = factories.submit(alice)
    with locked_elsewhere():
        answer = browser.post(f"/requests/{portal_request.pk}/cancel/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "<h1>The portal cannot reach its database</h1>" in answer.text
    assert "no-store" in answer.headers["Cache-Control"]

    assert browser.post(f"/requests/{portal_request.pk}/cancel/").status_code == 302
    assert models.Request.objects.get().status == "CANCELLED"


def test_a_fault_of_ours_is_a_500_that_says_so(browser, monkeypatch):
    monkeypatch.setattr(home, "render", lambda *_: 1 / 0)
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "The fault is ours, not yours." in answer.text


@pytest.mark.parametrize("name", ["500.html", "503.html"])
def test_the_pages_of_a_server_error_ask_the_database_nothing(name, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert "<h1>" in render_to_string(name)
