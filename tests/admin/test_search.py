"""Finding: by number, person, ID and error text; by filters; however odd the question, and never past the indexes."""

import itertools
import re
from collections.abc import Iterable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.admin.base import changelist
from portal.models.search import LONGEST_SEARCH
from tests.admin import rows

pytestmark = pytest.mark.django_db

ODD = [
    *("a\\x00b", "%", "_", "'", '"', "\\", "''", "a' OR 1=1 --", "😀", "\ud7ff"),
    *("x" * 500, "x" * 5000, "%" * 5000, "a " * 2500, "a " * 32, '" ' * 40),
    *("\u200f", "\u202eR-1\u202c", "R-", "R-0", "-1", "٤٢", "9" * 19, "R-99999999999999999999999"),
]


# --- Words ---


def test_what_belongs_to_a_request_is_found_by_its_number_person_and_words(alice, bob, browse):
    noted = ((alice, "for the demo"), (bob, "something else"))
    found = [rows.create_request(person, note=note) for person, note in noted]
    attempts = [rows.create_attempt(one, key_fingerprint=f"key{one.pk}") for one in found]
    lates = [rows.create_late_response(attempt) for attempt in attempts]
    stations = [rows.create_workstation(one, uid=f"Kx{one.pk}") for one in found]
    for name, wanted in (("attempt", attempts[0]), ("lateresponse", lates[0]), ("workstation", stations[0])):
        for query in (found[0].label, "alice", "demo", "alice demo"):
            assert browse(name, q=query) == [wanted.pk], (name, query)
        assert browse(name, q="R-999999") == browse(name, q="nowhere") == []
    assert browse("attempt", q=attempts[0].key_fingerprint) == [attempts[0].pk]
    assert browse("workstation", q=stations[0].uid) == [stations[0].pk]
    orphan, space = rows.create_workstation(None, uid="Orphan1"), rows.create_workspace(bob, uid="Ws1")
    assert browse("workstation", q="Orphan1") == [orphan.pk]
    for row in (space, rows.create_file(space), rows.create_log(space)):
        assert browse(row._meta.model_name, q="Ws1") == browse(row._meta.model_name, q="bob") == [row.pk]


def test_events_are_found_by_person_target_and_reason(alice, bob, browse):
    first = rows.create_event(alice, verb="sign-in", target="user alice")
    second = rows.create_event(bob, verb="request-release", target="workstation WsQ81", reason="Nobody knew it.")
    third = rows.create_event(alice, verb="adopt", target="request R-7", request_number=7, reason="It's 100% hers_")
    fourth = rows.create_event(None, verb="pause", target="key key of https://provider.example/v1")
    for query, expected in [
        *(("alice", [third, first]), ("user", []), ('"user alice"', [first]), ("WsQ81", [second])),
        ('"key of https://provider.example/v1"', [fourth]),
        *(("alice 100%", [third]), ("bob 100%", []), ("nobody knew", [second]), ("it", [third, second])),
        *(("hers_", [third]), ("herst", []), ("R-7", [third])),
    ]:
        listed = [event.pk for event in expected]
        assert browse("event", q=query) == listed, query
        assert browse("event", q=query, o="0") == listed[::-1], query
    assert browse("event", q="alice", verb="adopt") == [third.pk]
    assert browse("event", q="it", actor="portal") == []


def test_no_search_is_an_error(alice, browse, anna):
    for query in ODD:
        browse("request", q=query)
    for name, query in itertools.product(rows.create_all(alice), ODD):
        request = RequestFactory().get("/", {"q": query})
        vars(request).update(user=anna, _messages=CookieStorage(request))
        pages = admin.site._registry[apps.get_model("portal", name)]
        assert pages.get_changelist_instance(request).result_list is not None, (name, query)


def test_what_cannot_be_looked_for_is_said(alice, browser):
    rows.create_request(alice, note="x" * 500)
    for query, words in (("x" * (LONGEST_SEARCH + 1), "Search for at most 500 characters"), ("ab", "is too short")):
        response = browser.get("/admin/portal/request/", {"q": query})
        assert words in response.text
        assert not response.context["cl"].result_list


# --- Filters ---


def test_a_filter_leaves_what_it_says(alice, browse):
    rows.create_all(alice)
    failed = rows.create_request(alice, status="FAILED", failure="402", type="voip")
    unsure = rows.create_attempt(rows.create_request(alice), outcome="UNKNOWN", failure="no-answer")
    ended = rows.create_workstation(None, status="errored", ended_at=rows.NOW)
    by_portal = rows.create_event(None, verb="cancel")
    bad_log = rows.create_log(rows.create_workspace(alice), level="error")
    archived = rows.create_workspace(alice, status="archived")
    key = rows.create_account().key
    key.state, key.cause, key.paused_at = "PAUSED", "402", rows.NOW
    key.save()
    asked: list[tuple[str, dict[str, Any], Any]] = [
        *(("request", {"status__exact": "FAILED"}, failed), ("request", {"failure": "402"}, failed)),
        *(("request", {"type": "voip"}, failed), ("attempt", {"outcome__exact": "UNKNOWN"}, unsure)),
        *(("attempt", {"failure": "no-answer"}, unsure), ("attempt", {"request": unsure.request_id}, unsure)),
        *(("event", {"verb": "cancel"}, by_portal), ("event", {"actor": "portal"}, by_portal)),
        *(("log", {"level": "error"}, bad_log), ("workstation", {"status": "errored"}, ended)),
        *(("workstation", {"life": "ended"}, ended), ("workstation", {"orphan": "yes"}, ended)),
        *(("workspace", {"status": "archived"}, archived), ("key", {"state__exact": "PAUSED"}, key)),
        ("key", {"cause": "402"}, key),
    ]
    for name, query, wanted in asked:
        assert browse(name, **query) == [wanted.pk], (name, query)


def test_which_requests_used_a_key(alice, browse, browser):
    leaked = [rows.create_attempt(rows.create_request(alice), key_fingerprint="3f9a77c0d1e2") for _ in range(2)]
    rows.create_attempt(rows.create_request(alice), key_fingerprint="another")
    assert browse("attempt", key="3f9a77c0d1e2") == [attempt.pk for attempt in leaked][::-1]
    assert browse("attempt", key="3f9a77c0d1e2", outcome__exact="SUCCEEDED") == []
    known = models.Credential.objects.create(account=rows.create_account(), fingerprint="3f9a77c0d1e2")
    for page in (f"attempt/{leaked[0].pk}", f"credential/{known.pk}"):
        assert 'href="/admin/portal/attempt/?key=3f9a77c0d1e2"' in browser.get(f"/admin/portal/{page}/change/").text


# --- What it costs ---


def _count_queries(browser, names: Iterable[str]) -> dict[str, int]:
    """Of each list; none counts rows, and none reads what is large."""
    counts = {}
    for name in names:
        browser.get(f"/admin/portal/{name}/")
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(f"/admin/portal/{name}/").status_code == 200
        counts[name] = len(queries)
        asked = [query["sql"] for query in queries if f'FROM "portal_{name}"' in query["sql"]]
        assert asked, name
        assert not [sql for sql in asked if re.search(r'"response"|"raw"', sql)], name
        # What is counted for the head of each page has a bound.
        assert not [sql for sql in asked if re.search(r"COUNT\((?!.*LIMIT)", sql)], name
    return counts


def test_a_list_of_twelve_takes_as_many_queries_as_one_of_three(alice, bob, browser):
    first, *_ = [rows.create_all(alice) for _ in range(3)]
    few = _count_queries(browser, first)
    for _ in range(9):
        rows.create_all(bob)
    assert _count_queries(browser, first) == few
    assert max(few.values()) <= 12


def test_pages_follow_one_another_without_being_counted(alice, browser, monkeypatch):
    monkeypatch.setattr(changelist, "MOST_ROWS", 100)
    made = [rows.create_request(alice).pk for _ in range(130)][::-1]
    for page, words in ((1, "51 or more"), (2, "101 or more")):
        response = browser.get(f"/admin/portal/request/?p={page}")
        assert [row.pk for row in response.context["cl"].result_list] == made[page * 50 - 50 : page * 50]
        assert words in response.text
        assert f'href="?p={page + 1}"' in response.text
    for wrong in ("3", "0", "-1", "99999999"):  # behind the last, and behind what one may page through
        assert browser.get(f"/admin/portal/request/?p={wrong}").status_code == 400, wrong
    assert browser.get("/admin/portal/request/?all=").context["cl"].result_list[-1].pk == made[49]
