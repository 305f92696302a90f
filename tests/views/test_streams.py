"""Exports hold a thread for as long as their reader takes: a quarter of the threads at most."""

from collections.abc import Callable

import pytest
from django.conf import settings

from portal import models
from portal.views import history
from tests.admin import rows

pytestmark = pytest.mark.django_db

PLACES = settings.WEB_THREADS // 4
EXPORTS = ["/requests/export.csv", "/requests/export.jsonl", "/admin/portal/request/export.csv"]


@pytest.fixture
def take(sign_in, root) -> Callable[..., object]:
    browser = sign_in(root)
    rows.create_request(root)
    return lambda path=EXPORTS[0]: browser.post(path)


@pytest.fixture
def running(take, sign_in, olga) -> object:
    """As many exports as may run, half of them somebody else's."""
    asks = [take, sign_in(olga).post] * (PLACES // 2)
    begun = [ask(EXPORTS[number % len(EXPORTS)]) for number, ask in enumerate(asks)]
    assert [response.status_code for response in begun] == [200] * PLACES
    yield begun
    for response in begun:
        response.close()


@pytest.mark.parametrize("path", EXPORTS)
def test_one_too_many_is_told_to_try_again_and_not_recorded(running, take, path):
    response = take(path)
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert "<h1>Another export is running</h1>" in response.text
    assert models.Event.objects.filter(verb="export").count() == PLACES


def test_one_person_has_half_of_the_places(take, sign_in, olga):
    mine = [take() for _ in range(PLACES // 2 + 1)]
    assert [response.status_code for response in mine] == [200] * (PLACES // 2) + [503]
    theirs = sign_in(olga).post(EXPORTS[0])
    assert theirs.status_code == 200
    for response in (*mine, theirs):
        response.close()


def test_one_that_was_read_makes_room(running, take):
    assert b"".join(running[0].streaming_content).count(b"\r\n") == 2
    again = take()
    assert (again.status_code, take().status_code) == (200, 503)
    again.close()


@pytest.mark.django_db(transaction=True)  # the end of a response closes the connection
def test_one_that_was_cut_off_makes_room_for_one(running, take):
    """Before its first piece, and closed twice."""
    running[0].close()
    running[0].close()
    again = take()
    assert (again.status_code, take().status_code) == (200, 503)
    again.close()


def test_one_that_failed_or_was_no_file_holds_no_place(take, monkeypatch):
    for _ in range(PLACES + 1):
        assert take("/requests/export.csv?status=NONSENSE").status_code == 302
    with monkeypatch.context() as patch:
        patch.setattr(history, "read_form", lambda **_: 1 / 0)
        for _ in range(PLACES + 1):
            with pytest.raises(ZeroDivisionError):
                take()
    response = take()
    assert response.status_code == 200
    response.close()


def test_other_pages_are_not_held_up(running, sign_in, root):
    assert sign_in(root).get("/requests/").status_code == 200
