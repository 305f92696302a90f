"""The page of a request in the admin reads from top to bottom: what was requested, each attempt, what followed."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import failures, models
from portal.admin.base import story
from portal.services.reconciliation import restore
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(anna, sign_in):
    browser = sign_in(anna)

    def read(portal_request: models.Request) -> str:
        """The story as one reads it."""
        page = browser.get(f"/admin/portal/request/{portal_request.pk}/change/").text
        told = page.split('<div class="story">')[1].split('<div id="content-main">')[0]
        return " ".join(unescape(re.sub("<[^>]*>", " ", told)).split())

    return read


def test_it_is_told_in_order(alice, olga, read):
    workspace = rows.create_workspace(alice, uid="Ws1")
    asked = rows.create_request(alice, workspace_uid="Ws1", note="For Friday.", created_at=rows.NOW)
    first = rows.create_attempt(asked, outcome="UNKNOWN", failure="no-answer", http_status=None, error="", message="")
    rows.create_attempt(asked)
    rows.create_late_response(first, message="sorry", came_at=rows.NOW + timedelta(seconds=9))
    values = {"request_number": asked.pk, "target": f"request {asked.label}"}
    rows.create_event(alice, **values)
    rows.create_event(olga, verb="adopt", reason="It is hers.", at=rows.NOW + timedelta(seconds=20), **values)
    seen_at = rows.NOW + timedelta(seconds=30)
    rows.create_workstation(asked, uid="Kx0", workspace=workspace, first_seen_at=seen_at, ended_at=rows.NOW)
    words = [
        *("What was requested", "alice requested a workstation (Python) at", "in workspace Ws1.", "For Friday."),
        *("Ready.", "2 attempts", "Attempt 1 : no response until", "No response from AgentStation"),
        *("Attempt 2 : HTTP status 402 at", "after 1.500 s.", "402 : Payment required", "credits are used up"),
        *("What followed", "Late response to attempt 1: succeeded.", "sorry", "olga linked a workstation to"),
        *("adopt", "Event", "It is hers.", "Workstation Kx0 , in workspace Ws1 .", "It ended at"),
    ]
    told = read(asked)
    places = [told.find(word) for word in words]
    assert -1 not in places, (words[places.index(-1)], told)
    assert places == sorted(places), told
    assert "submit" not in told.replace("submitted", "")


def test_a_failure_is_told_in_the_words_of_the_catalogue(alice, read):
    asked = rows.create_request(alice, status="FAILED", failure="402")
    assert f"Failed. 402 : Payment required. {failures.CATALOGUE['402'].cause}" in read(asked)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"outcome": "SENDING", "failure": "", "ended_at": None, "http_status": None}, "sent, no response yet."),
        ({"outcome": "NOT_SENT", "failure": "", "http_status": None}, "Attempt 1 : not sent."),
        ({"outcome": "SUCCEEDED", "failure": "", "http_status": 200}, "AgentStation accepted the request."),
        ({"outcome": "UNKNOWN", "failure": "no-answer", "worker": restore.WORKER}, "because a backup was restored."),
        ({"outcome": "FAILED", "failure": "brand-new"}, "brand-new"),
    ],
)
def test_what_came_of_an_attempt(values, words, alice, read):
    asked = rows.create_request(alice)
    rows.create_attempt(asked, **values)
    assert words in read(asked)


def test_the_number_of_attempts_is_that_of_those_made(alice, anna, read, sign_in):
    asked = rows.create_request(alice, attempt_count=0)
    assert "0 attempts Nothing was sent." in read(asked)
    rows.create_attempt(asked)
    assert "1 attempt " in read(asked)
    page = sign_in(anna).get(f"/admin/portal/request/{asked.pk}/change/").text
    assert re.search(r"Attempts that count:\s*</label>.*?0 of 4", page, re.DOTALL)
    listed = sign_in(anna).get("/admin/portal/request/").text
    assert '<td class="field-attempts">1</td>' in listed
    assert "attempt_count" not in listed


def test_many_attempts_and_events_are_cut_and_it_is_said(alice, read, monkeypatch):
    monkeypatch.setattr(story, "MOST_ATTEMPTS", 2)
    monkeypatch.setattr(story, "MOST_EVENTS", 2)
    asked = rows.create_request(alice)
    for _ in range(3):
        rows.create_attempt(asked)
        rows.create_event(alice, verb="evidence", request_number=asked.pk, target=f"request {asked.label}")
    told = read(asked)
    assert "3 attempts Only the newest 2 are shown." in told
    assert "Attempt 1 " not in told
    assert told.count("downloaded the audit bundle") == 2
    assert "There are more events" in told


def test_details_and_bytes_are_folded(alice, anna, sign_in):
    attempt = rows.create_attempt(rows.create_request(alice))
    page = sign_in(anna).get(f"/admin/portal/request/{attempt.request_id}/change/").text
    rest = page.split('<div id="content-main">')[1]
    assert len(re.findall(r"<details>\s*<summary>", rest)) == 3
    assert "<details open" not in rest
    assert rest.index("<details>") < rest.index('<pre class="response"')
    assert " style=" not in page
    assert "<script>" not in page


def test_it_tells_whoever_looks_no_more_than_they_may_see(alice, olga, sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=("see_all", "view_request")))
    asked = rows.create_request(alice, note="For Friday.", workspace_name="Plan")
    rows.create_attempt(asked)
    rows.create_event(olga, verb="close", request_number=asked.pk, target=f"request {asked.label}", reason="secret")
    page = sign_in(guest).get(f"/admin/portal/request/{asked.pk}/change/").text
    assert "For Friday." in page
    assert "in a new workspace, to be called <bdi>Plan</bdi>." in " ".join(page.split())
    assert "secret" not in page
    assert "credits are used up" not in page


def test_it_costs_the_same_however_much_happened(alice, anna, sign_in):
    browser, asked = sign_in(anna), rows.create_request(alice)

    def count() -> int:
        rows.create_late_response(rows.create_attempt(asked))
        rows.create_event(alice, verb="evidence", request_number=asked.pk, target=f"request {asked.label}")
        browser.get(f"/admin/portal/request/{asked.pk}/change/")
        with CaptureQueriesContext(connection) as queries:
            browser.get(f"/admin/portal/request/{asked.pk}/change/")
        return len(queries)

    few = count()
    for _ in range(10):
        last = count()
    assert last == few <= 16
