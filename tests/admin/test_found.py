"""Searches and filters of the audit log go by indexes, whatever there is; and events are found by what names them."""

import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.admin.base import found
from tests import plans
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def browse(anna, sign_in):
    def browse(name: str, **query: object) -> list[int]:
        """The ids of the rows that are listed, in their order."""
        response = sign_in(anna).get(f"/admin/portal/{name}/", query)
        assert response.status_code == 200
        return [row.pk for row in response.context["cl"].result_list]

    return browse


def test_which_requests_used_a_key(alice, browse, anna, sign_in):
    leaked = [rows.create_attempt(rows.create_request(alice), key_fingerprint="3f9a77c0d1e2") for _ in range(2)]
    rows.create_attempt(rows.create_request(alice), key_fingerprint="another")
    ids = [attempt.pk for attempt in leaked][::-1]

    assert browse("attempt", q="3f9a77c0d1e2") == browse("attempt", key="3f9a77c0d1e2") == ids
    assert browse("attempt", key="3f9a77c0d1e2", outcome__exact="SUCCEEDED") == []
    known = models.Credential.objects.create(account=rows.create_account(), fingerprint="3f9a77c0d1e2")
    for page in (f"attempt/{ids[0]}", f"credential/{known.pk}"):
        shown = sign_in(anna).get(f"/admin/portal/{page}/change/").content.decode()
        assert 'href="/admin/portal/attempt/?key=3f9a77c0d1e2"' in shown


def test_events_are_found_by_person_verb_target_and_reason(alice, bob, browse):
    first = rows.create_event(alice, verb="sign-in", target="user alice")
    second = rows.create_event(bob, verb="release-orphan", target="workstation WsQ81", reason="Nobody knew it.")
    third = rows.create_event(alice, verb="adopt", target="request R-7", request_number=7, reason="It's 100% hers_")
    fourth = rows.create_event(None, verb="pause", target="key key of https://provider.example/v1")

    for query, expected in [
        ("alice", [third, first]),
        ("ALICE", [third, first]),
        ("user", []),
        ('"user alice"', [first]),
        ("WsQ81", [second]),
        ('"workstation WsQ81"', [second]),
        ("pause", [fourth]),
        ('"key of https://provider.example/v1"', [fourth]),
        ("adopt alice", [third]),
        ("alice adopt 100%", [third]),
        ("adopt bob", []),
        ("adopt pause", []),
        ("nobody knew", [second]),
        ("it", [third, second]),
        ("hers_", [third]),
        ("herst", []),
        ("s_", [third]),
        ("R-7", [third]),
        ("7", [third]),
        ("", [fourth, third, second, first]),
    ]:
        listed = [event.pk for event in expected]
        assert [pk for pk in browse("event", q=query) if first.pk <= pk <= fourth.pk] == listed, query
        if listed and query:
            assert browse("event", q=query, o="0") == listed[::-1], query
    assert browse("event", q="alice", verb="adopt") == [third.pk]
    assert browse("event", q="it", actor="portal") == []


@pytest.mark.parametrize("o", ["-0", "0"])
def test_a_search_lists_the_nearest_and_says_that_there_are_more(alice, browse, monkeypatch, anna, sign_in, o):
    monkeypatch.setattr(found, "MOST", 3)
    made = [rows.create_request(alice, note="demo", status="CANCELLED").pk for _ in range(5)]
    nearest = made[:3] if o == "0" else made[:1:-1]

    assert browse("request", q="demo", o=o) == nearest
    assert browse("request", status__exact="CANCELLED", type__exact="python", o=o) == nearest
    assert "3 or more found" in sign_in(anna).get("/admin/portal/request/?q=demo").content.decode()
    assert browse("request", status__exact="CANCELLED", o="0") == made


def test_filters_and_search_go_together(alice, bob, browse):
    wanted = rows.create_request(
        alice, note="demo", status="FAILED", failure="402", created_at=datetime(2026, 2, 1, tzinfo=UTC)
    )
    rows.create_request(bob, note="demo", status="FAILED", failure="402")
    chosen = {
        "status__exact": "FAILED",
        "failure": "402",
        "requester": alice.pk,
        "created_at__lt": "2026-03-01 00:00:00+00:00",
    }

    assert browse("request", q="demo", **chosen) == [wanted.pk]
    assert browse("request", **chosen) == [wanted.pk]
    assert browse("request", **(chosen | {"created_at__lt": "2026-01-01 00:00:00+00:00"})) == []
    assert browse("request", q="demo", account=wanted.account_id, **chosen) == [wanted.pk]
    assert browse("request", status__exact="SUCCEEDED", failure="402") == []


# --- Files ---


@pytest.fixture
def download(anna, sign_in):
    def download(name: str, query: str = "") -> list[int]:
        """The ids of the file's rows."""
        response = sign_in(anna).post(f"/admin/portal/{name}/export.jsonl?{query}")
        assert response.status_code == 200
        lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
        return [line.get("number") or line["id"] for line in lines]

    return download


def test_a_list_is_downloaded_as_it_is_searched_and_filtered_and_in_full(alice, bob, download, monkeypatch):
    monkeypatch.setattr("portal.services.search.exporting.PAGES", (1, 2))
    mine = [rows.create_request(alice, note="demo", status="CANCELLED").pk for _ in range(5)]
    theirs = [rows.create_request(bob, note="demo").pk for _ in range(4)]
    events = [rows.create_event(alice, verb="adopt", reason=f"demo {number}").pk for number in range(5)]

    assert download("request") == [*theirs[::-1], *mine[::-1]]
    assert download("request", "o=0&q=demo") == [*mine, *theirs]
    assert download("request", "status__exact=CANCELLED&type__exact=python") == mine[::-1]
    assert download("request", f"q={mine[2]}") == [mine[2]]
    assert download("request", f"q={mine[2]}&status__exact=CANCELLED&type__exact=python") == [mine[2]]
    assert download("request", "q=ab") == []  # too short to look for, which the page of the list says
    # What is left by a filter that the index does not know lies behind whole pages of which nothing is.
    account = models.Account.objects.create(base_url="https://other.example/v1")
    rows.create_request(bob, note="demo", account=account)
    assert download("request", f"q=demo&account={rows.create_account().pk}&o=0") == [*mine, *theirs]
    assert download("request", f"q=demo&account={account.pk}&o=0") == [theirs[-1] + 1]
    assert download("event", "q=demo") == events[::-1]
    assert download("event", "verb=adopt&o=0") == events


def test_a_download_from_the_admin_is_recorded(alice, anna, download, sign_in):
    rows.create_request(alice)
    download("request", "status__exact=SUCCEEDED")
    event = models.Event.objects.get(verb="export")
    assert (event.actor_name, event.target) == ("anna", "requests")
    assert event.detail == {"format": "jsonl", "filters": {"status__exact": "SUCCEEDED"}}
    response = sign_in(anna).post("/admin/portal/event/export.csv?verb=export")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert (
        b"".join(response.streaming_content)
        .decode()
        .startswith("\ufeffid,at,actor,address,http_request,verb,target,request,")
    )


def test_the_lists_link_to_their_files_with_what_was_chosen(anna, sign_in, alice):
    for name in ("request", "event"):
        page = sign_in(anna).get(f"/admin/portal/{name}/?q=alice+demo&o=0").content.decode()
        assert 'action="export.csv?q=alice+demo&amp;o=0"' in page
        assert 'action="export.jsonl?q=alice+demo&amp;o=0"' in page
    assert "export.csv" not in sign_in(anna).get("/admin/portal/attempt/").content.decode()


def test_a_file_is_for_those_who_may_see_the_list(alice, sign_in, client):
    assert sign_in(alice).post("/admin/portal/event/export.csv").status_code == 403
    assert client.post("/admin/portal/event/export.csv").status_code == 302
    assert not models.Event.objects.filter(verb="export").exists()


def test_a_filter_that_means_nothing_gives_no_file(anna, sign_in):
    response = sign_in(anna).post("/admin/portal/request/export.csv?nonsense=1")
    assert (response.status_code, response.url) == (302, "/admin/portal/request/")


# --- How the databases find them ---

_QUESTIONS = [
    *("request/", "request/?q=demo", "request/?status__exact=FAILED", "request/?status__exact=FAILED&type__exact=voip"),
    *(
        "request/?q=demo&failure=402",
        "request/?created_at__gte=2026-01-01+00:00:00%2B00:00",
        "request/?p=2",
        "request/?o=0",
    ),
    *("attempt/", "attempt/?q=demo", "attempt/?q=R-5", "attempt/?key=3f9a77c0d1e2", "attempt/?failure=402"),
    *("event/", "event/?q=alice", "event/?q=alice+adopt", "event/?q=demo+pause", "event/?verb=adopt", "event/?q=R-5"),
    *("workstation/", "workstation/?q=demo", "workstation/?q=station-1", "workspace/", "workspace/?q=alice"),
]


@plans.on_postgresql
def test_no_list_of_the_admin_reads_a_table_from_end_to_end(alice, anna, sign_in):
    for _ in range(20):
        rows.create_all(alice)
        rows.create_request(alice, note="demo", type="voip", status="FAILED", failure="402")
    browser = sign_in(anna)
    plans.forbid_walks()
    for question in _QUESTIONS:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(f"/admin/portal/{question}").status_code == 200
        large = [query["sql"] for query in queries if any(table in query["sql"] for table in plans.LARGE)]
        assert large, question
        for sql in large:
            assert not plans.list_walked(sql) & {*plans.LARGE}, sql
