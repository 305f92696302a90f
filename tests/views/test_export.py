"""Exports: exactly what was found, page by page, recorded first, harmless to a spreadsheet, and a few at a time."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.services.search import exporting
from portal.views import history
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def download(sign_in):
    def download(user: models.User, query: str = "", form: str = "csv") -> list[dict[str, object]]:
        response = sign_in(user).post(f"/requests/export.{form}?{query}")
        assert response.status_code == 200
        assert response["Content-Disposition"] == f'attachment; filename="requests.{form}"'
        text = b"".join(response.streaming_content).decode()
        if form == "jsonl":
            return [json.loads(line) for line in text.split("\n") if line]
        assert text.startswith("\ufeffnumber,")
        return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))

    return download


def test_a_row_says_all_of_its_request(download, alice, anna):
    wanted = rows.create_request(
        alice,
        note="für Zürich",
        lifetime="8h",
        workspace_uid="space-1",
        status="FAILED",
        failure="402",
        was_unknown=True,
        created_at=rows.NOW - timedelta(seconds=90.5),
        ended_at=rows.NOW,
    )
    rows.create_attempt(wanted, outcome="UNKNOWN", failure="no-answer", http_status=504, error="", message="")
    rows.create_attempt(wanted)
    rows.create_workstation(wanted, uid="station-1", workspace=rows.create_workspace(alice, uid="space-2"))
    expected = {
        "number": wanted.pk,
        "requested_by": "alice",
        "type": "python",
        "lifetime": "8h",
        "workspace_asked": "space-1",
        "workspace_name": "",
        "note": "für Zürich",
        "state": "FAILED",
        "failure": "402",
        "requested_at": (rows.NOW - timedelta(seconds=90.5)).isoformat(timespec="microseconds"),
        "ended_at": rows.NOW.isoformat(timespec="microseconds"),
        "took_seconds": 90.5,
        "attempts": 2,
        "was_unknown": True,
        "workstation": "station-1",
        "workspace": "space-2",
        "http_status": 402,
        "error": "Payment required",
        "message": "credits are used up",
    }

    assert download(anna, form="jsonl") == [expected]
    assert download(anna) == [{name: "true" if value is True else str(value) for name, value in expected.items()}]


@pytest.mark.parametrize(("form", "size"), [("csv", 3), ("jsonl", 1), ("jsonl", 1_000)])
def test_exactly_what_the_filters_find_in_its_order(download, alice, bob, anna, monkeypatch, form, size):
    monkeypatch.setattr(exporting, "PAGES", (1, size))
    mine = [rows.create_request(alice, status="CANCELLED", note=f"demo {number}").pk for number in range(7)]
    theirs = [rows.create_request(bob, note="demo").pk for _ in range(3)]

    def read(user: models.User, query: str) -> list[int]:
        return [int(str(row["number"])) for row in download(user, query, form)]

    assert read(anna, "") == [*theirs[::-1], *mine[::-1]]
    assert read(anna, "sort=oldest") == [*mine, *theirs]
    assert read(anna, "status=CANCELLED&type=python") == mine[::-1]
    assert read(anna, "q=demo&sort=oldest&person=bob") == theirs
    assert read(anna, f"before={mine[3]}") == [*theirs[::-1], *mine[::-1]]  # of all pages, not of one
    assert read(alice, "") == mine[::-1]
    assert read(alice, "type=voip") == []


def test_the_links_of_the_history_take_its_filters_along(sign_in, alice):
    rows.create_request(alice, note="demo & more")
    page = sign_in(alice).get("/requests/?q=demo&status=SUCCEEDED&sort=oldest").text
    for form in ("csv", "jsonl"):
        assert f'action="/requests/export.{form}?q=demo&amp;status=SUCCEEDED&amp;sort=oldest"' in page


DEFUSED = {
    "=1+1": "'=1+1",
    "@SUM(A1)": "'@SUM(A1)",
    " =1": " '=1",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    "x;=1": "x;'=1",
    "x\t@A1": "x\t'@A1",
    "x, -1": "x, '-1",
    'x;"=1"': 'x;"\'=1"',
    "x,y;": "x,y;'",
    "to do:\r\n- one\r\n- two": "to do:\r\n'- one\r\n'- two",
    'a "quoted", note;\nof two lines\u2028': 'a "quoted", note;\nof two lines\u2028',
}


def test_a_cell_that_would_be_a_formula_is_defused(download, alice):
    harmless = "fine = fine; a+b, c-d;e@f"
    for text in DEFUSED:
        portal_request = rows.create_request(alice, note=text, workspace_uid="-cmd")
        rows.create_attempt(portal_request, error=text, message=harmless)
    cells = download(alice, "sort=oldest")
    assert [row["note"] for row in cells] == [row["error"] for row in cells] == [*DEFUSED.values()]
    assert {(row["workspace_asked"], row["message"]) for row in cells} == {("'-cmd", harmless)}
    assert [row["note"] for row in download(alice, "sort=oldest", form="jsonl")] == [*DEFUSED]


def test_it_is_recorded_before_the_first_byte(sign_in, alice, anna):
    rows.create_request(alice)
    path = "/requests/export.jsonl?status=SUCCEEDED&person=alice&before=5"
    response = sign_in(anna).post(path, REMOTE_ADDR="192.0.2.7")
    event = factories.find_event("export")
    assert (event.actor_name, event.target, event.address) == ("anna", "requests", "192.0.2.7")
    assert event.detail == {"format": "jsonl", "filters": {"person": "alice", "status": "SUCCEEDED"}}
    response.close()


def test_a_page_is_read_only_when_the_one_before_was_taken(sign_in, alice, monkeypatch):
    monkeypatch.setattr(exporting, "PAGES", (2, 2))
    for _ in range(8):
        rows.create_request(alice)
    response = sign_in(alice).post("/requests/export.csv")
    pieces = iter(response.streaming_content)
    with CaptureQueriesContext(connection) as queries:
        next(pieces)
    assert len(queries) == 0  # the names of the columns
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            assert next(pieces).count(b"\r\n") == 2
        counts.append(len(queries))
    assert counts[1] == counts[2] == 4
    with CaptureQueriesContext(connection) as queries:
        response.close()  # the person has gone away
        assert list(pieces) == []
    assert len(queries) == 0


@pytest.mark.parametrize("change", ["locked out", "sees less"])
def test_a_reader_who_may_no_more_does_not_get_the_rest(sign_in, alice, anna, monkeypatch, change):
    monkeypatch.setattr(exporting, "PAGES", (1, 1))
    for _ in range(3):
        rows.create_request(alice)
    pieces = iter(sign_in(anna).post("/requests/export.jsonl").streaming_content)
    assert next(pieces)
    if change == "locked out":
        factories.update(anna, is_active=False)
    else:
        anna.groups.clear()
    with pytest.raises(ConnectionResetError):
        next(pieces)


def test_a_filter_that_cannot_be_read_leads_to_the_page_that_says_so(sign_in, alice):
    for query in ("status=NONSENSE", "q=%25", "since=soon", "longer=x&before=5"):
        response = sign_in(alice).post(f"/requests/export.csv?{query}", follow=True)
        ((address, status),) = response.redirect_chain
        assert (address.partition("?")[0], status) == ("/requests/", 302)
        assert response.context["page"].form.errors
    assert not factories.list_events("export").exists()


# --- Each holds a thread for as long as its reader takes: a quarter of the threads at most ---

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


def test_one_too_many_is_told_to_try_again_and_not_recorded(running, take):
    for path in EXPORTS:
        response = take(path)
        assert (response.status_code, response["Retry-After"]) == (503, "10")
        assert "<h1>Another export is running</h1>" in response.text
    assert factories.list_events("export").count() == PLACES
    assert b"".join(running[0].streaming_content).count(b"\r\n") == 2
    again = take()
    assert (again.status_code, take().status_code) == (200, 503), "one that was read makes room"
    again.close()


def test_one_person_has_half_of_the_places(take, sign_in, olga):
    mine = [take() for _ in range(PLACES // 2 + 1)]
    assert [response.status_code for response in mine] == [200] * (PLACES // 2) + [503]
    theirs = sign_in(olga).post(EXPORTS[0])
    assert theirs.status_code == 200
    for response in (*mine, theirs):
        response.close()


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
