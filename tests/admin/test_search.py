"""Finding: by number, person, UID and error text; by filters; however odd the question."""

import itertools
import re
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.admin.base import readonly
from portal.models.search import LONGEST_SEARCH
from tests.admin import rows

pytestmark = pytest.mark.django_db

ODD = [
    *("\x00", "a\x00b", "%", "_", "'", '"', "\\", "''", "a' OR 1=1 --", "😀", "\ud7ff"),
    *("x" * 500, "x" * 5000, "%" * 5000, "a " * 2500, "a " * 32, '" ' * 40),
    *("\u200f", "\u202eR-1\u202c", "R-", "R-0", "-1", "٤٢", "9" * 19, "R-99999999999999999999999"),
]


@pytest.fixture
def browse(anna, sign_in):
    browser = sign_in(anna)

    def browse(name: str, **query: object) -> list[int]:
        """The primary keys of the rows that are listed."""
        response = browser.get(f"/admin/portal/{name}/", query)
        assert response.status_code == 200, (name, query)
        return [
            int(key)
            for key in re.findall(rf'<th class="field[^"]*"><a href="/admin/portal/{name}/(\d+)/change/', response.text)
        ]

    return browse


def test_a_request_is_found_by_its_number_and_no_other(alice, browse):
    wanted = rows.create_request(alice)
    other = rows.create_request(alice, note=f"see {wanted.label}, {wanted.pk}")

    for query in (
        wanted.label,
        str(wanted.pk),
        wanted.label.lower(),
        f" {wanted.label} ",
        f"\u200f{wanted.label}\u200e",
    ):
        assert browse("request", q=query) == [wanted.pk], query
    assert browse("request", q=f'"see {wanted.label}"') == [other.pk]


@pytest.mark.parametrize(
    "query", ["space-7", "demo", "station-9", "credits are", "Payment", "too late", "credits demo"]
)
def test_a_request_is_found_by_uid_note_and_error_text_once(query, alice, bob, browse):
    wanted = rows.create_request(alice, workspace_uid="space-7", note="for the demo")
    first = rows.create_attempt(wanted)
    rows.create_attempt(wanted)
    rows.create_late_response(first, message="too late, sorry")
    rows.create_workstation(wanted, uid="station-9")
    rows.create_request(bob)

    assert browse("request", q=query) == [wanted.pk]


def test_all_words_must_be_found(alice, bob, browse):
    rows.create_attempt(rows.create_request(alice, note="green"), error="", message="broken")

    assert browse("request", q="broken green") != []
    assert browse("request", q="broken blue") == []
    assert browse("request", q='"broken green"') == []


@pytest.mark.parametrize("query", ["number", "credits", "3f9a77c0d1e2"])
def test_an_attempt_is_found(query, alice, bob, browse):
    wanted = rows.create_attempt(rows.create_request(alice), key_fingerprint="3f9a77c0d1e2")
    rows.create_attempt(rows.create_request(bob), message="", key_fingerprint="000000000000")

    query = wanted.request.label if query == "number" else query
    assert browse("attempt", q=query) == [wanted.pk]


def test_a_late_response_is_found(alice, browse):
    wanted = rows.create_late_response(rows.create_attempt(rows.create_request(alice)), message="sorry")

    for query in (wanted.attempt.request.label, "sorry"):
        assert browse("lateresponse", q=query) == [wanted.pk]
    assert browse("lateresponse", q="R-999999") == []


def test_a_workstation_is_found(alice, bob, browse):
    portal_request = rows.create_request(alice)
    wanted = rows.create_workstation(portal_request, uid="Kx0", workspace=rows.create_workspace(alice, uid="Ws1"))
    rows.create_workstation(rows.create_request(bob))

    for query in (portal_request.label, "kx0", "Ws1"):
        assert browse("workstation", q=query) == [wanted.pk]


def test_a_workspace_is_found_by_uid_owner_and_request(alice, bob, browse):
    wanted = rows.create_workspace(alice, uid="Ws1")
    rows.create_workspace(bob)
    asked = rows.create_request(alice, workspace_uid="Ws1")
    made = rows.create_request(alice)
    rows.create_workstation(made, workspace=wanted)

    for query in ("Ws1", "alice", asked.label, made.label):
        assert browse("workspace", q=query) == [wanted.pk], query


def test_files_and_logs_are_found(alice, bob, browse):
    mine, other = rows.create_workspace(alice, uid="Ws1"), rows.create_workspace(bob)
    file, log = rows.create_file(mine, name="4242424242"), rows.create_log(mine, type="crash")
    rows.create_file(other)
    rows.create_log(other)

    for query in ("4242424242", "alice", "Ws1"):
        assert browse("file", q=query) == [file.pk]
    for query in ("crash", "alice", "Ws1"):
        assert browse("log", q=query) == [log.pk]


def test_an_event_is_found_by_its_verb_as_the_list_shows_it(alice, browse):
    wanted = rows.create_event(alice, verb="sign-in-failed")
    rows.create_event(alice, verb="sign-in")
    assert browse("event", q='"sign-in failed"') == [wanted.pk]
    assert browse("event", q="sign-in-failed") == [wanted.pk]


def test_an_event_is_found(alice, bob, browse):
    wanted = rows.create_event(alice, request_number=77, verb="close", target="request R-77", reason="was a test")
    rows.create_event(bob, request_number=78, target="request R-78")

    for query in ("R-77", "77", "alice", "close", '"request R-77"', "was a test"):
        assert browse("event", q=query) == [wanted.pk], query


def test_no_search_is_an_error(alice, browse):
    for name, query in itertools.product(rows.create_all(alice), ODD):
        browse(name, q=query)


def test_too_long_a_search_says_so(anna, alice, sign_in):
    rows.create_request(alice, note="x" * 500)

    page = sign_in(anna).get("/admin/portal/request/", {"q": "x" * (LONGEST_SEARCH + 1)}).content.decode()

    assert "Search for at most 500 characters" in page
    assert "R-" not in re.sub(r"R-1042", "", page.split('id="changelist-form"')[1])


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("request", {"status__exact": "FAILED"}),
        ("request", {"failure": "402"}),
        ("request", {"type__exact": "voip"}),
        ("attempt", {"outcome__exact": "UNKNOWN"}),
        ("attempt", {"failure": "no-answer"}),
        ("event", {"verb": "cancel"}),
        ("event", {"actor": "portal"}),
        ("log", {"level": "error"}),
        ("workstation", {"status": "errored"}),
        ("workstation", {"life": "ended"}),
        ("workstation", {"orphan": "yes"}),
        ("workspace", {"status": "archived"}),
        ("key", {"state__exact": "PAUSED"}),
        ("key", {"cause": "402"}),
    ],
)
def test_a_filter_leaves_what_it_says(name, query, alice, browse):
    rows.create_all(alice)
    wanted = {
        "request": lambda: rows.create_request(alice, status="FAILED", failure="402", type="voip"),
        "attempt": lambda: rows.create_attempt(rows.create_request(alice), outcome="UNKNOWN", failure="no-answer"),
        "event": lambda: rows.create_event(None, verb="cancel"),
        "log": lambda: rows.create_log(rows.create_workspace(alice), level="error"),
        "workstation": lambda: rows.create_workstation(None, status="errored", ended_at=rows.NOW),
        "workspace": lambda: rows.create_workspace(alice, status="archived"),
        "key": lambda: _pause_key(rows.create_account()),
    }[name]()

    assert browse(name, **query) == [wanted.pk]


def _pause_key(account):
    account.key.state, account.key.cause, account.key.paused_at = "PAUSED", "402", rows.NOW
    account.key.save()
    return account.key


def test_requests_are_filtered_by_the_day_they_were_made(alice, browse):
    old = rows.create_request(alice, created_at=datetime(2020, 2, 3, 10, tzinfo=UTC))
    new = rows.create_request(alice)

    assert browse("request", created_at__lt="2021-01-01 00:00:00+00:00") == [old.pk]
    assert browse("request", created_at__gte="2021-01-01 00:00:00+00:00") == [new.pk]


@pytest.mark.parametrize(
    "query",
    [
        "requester=abc",
        "requester=",
        f"requester={'9' * 30}",
        "type__exact=%00",
        "note=a%00b",
        "%00=1",
        "p=999999",
        "nonsense=1",
    ],
)
def test_a_filter_that_means_nothing_leads_to_the_whole_list(query, anna, alice, sign_in):
    rows.create_all(alice)

    response = sign_in(anna).get(f"/admin/portal/request/?{query}", follow=True)

    assert response.status_code == 200
    said = "has a filter or a page that doesn" in response.content.decode()
    assert said or query == "p=999999"  # a list of one page shows it whatever page is asked for


@pytest.mark.parametrize("query", ["e=1&p=x&nonsense=1", "e=1&request=x", "e=%00", "e=1&e=1&q=demo"])
def test_a_filter_that_means_nothing_is_no_broken_database(query, anna, sign_in):
    for name in ("request", "user"):
        response = sign_in(anna).get(f"/admin/portal/{name}/?{query}", follow=True)
        assert response.redirect_chain == [(f"/admin/portal/{name}/?e=1", 302)]
        assert "has a filter or a page that doesn" in response.text


def test_nobody_reads_password_hashes_through_filters(anna, sign_in):
    browser = sign_in(anna)

    assert browser.get("/admin/portal/request/", {"requester__password__startswith": "m"}).status_code == 400
    assert browser.get("/admin/portal/user/", {"password__startswith": "m"}).status_code == 400


def _count_queries(browser, names: Iterable[str]) -> dict[str, int]:
    """Of each list."""
    counts = {}
    for name in names:
        browser.get(f"/admin/portal/{name}/")
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(f"/admin/portal/{name}/").status_code == 200
        counts[name] = len(queries)
    return counts


def test_a_list_of_thirty_takes_as_many_queries_as_one_of_three(alice, bob, anna, sign_in):
    browser = sign_in(anna)
    first, *_ = [rows.create_all(alice) for _ in range(3)]
    names = [*first, "user"]
    few = _count_queries(browser, names)
    for _ in range(27):
        rows.create_all(bob)
    assert _count_queries(browser, names) == few
    assert max(few.values()) <= 12


def test_a_request_with_many_attempts_takes_as_many_queries_as_one_with_few(alice, anna, sign_in):
    browser = sign_in(anna)
    portal_request = rows.create_request(alice)
    page = f"/admin/portal/request/{portal_request.pk}/change/"
    for _ in range(3):
        rows.create_late_response(rows.create_attempt(portal_request))
    browser.get(page)
    with CaptureQueriesContext(connection) as few:
        browser.get(page)

    for _ in range(57):
        rows.create_attempt(portal_request)
    with CaptureQueriesContext(connection) as many:
        shown = browser.get(page).content.decode()

    assert len(many) == len(few)
    assert "attempt 60" in shown
    assert "attempt 10 " not in shown  # the newest fifty
    assert "attempt 11" in shown


def test_no_list_reads_what_is_large(alice, anna, sign_in):
    browser = sign_in(anna)
    rows.create_all(alice)

    for name, column in [
        ("attempt", "response"),
        ("lateresponse", "response"),
        ("workstation", "raw"),
        ("file", "raw"),
        ("request", "raw"),
    ]:
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"/admin/portal/{name}/")
        assert not [query for query in queries if f'"{column}"' in query["sql"]], name


def test_a_list_is_counted_no_further_than_one_pages(alice, anna, sign_in, monkeypatch):
    monkeypatch.setattr(readonly.BoundedPaginator, "LIMIT", 60)
    models = [rows.create_request(alice) for _ in range(70)]

    page = sign_in(anna).get("/admin/portal/request/").content.decode()

    assert "The first 60 requests" in page
    assert models[-1].label in page
    assert sign_in(anna).get("/admin/portal/request/?p=2").status_code == 200
