"""The overview on top of home: for whoever sees everything, with the end of a pause for operators."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.html import strip_tags

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts
from portal.services.reconciliation import review
from tests import factories
from tests.admin import rows
from tests.browser import read

pytestmark = pytest.mark.django_db


def test_a_member_has_none(sign_in, alice):
    assert 'id="overview"' not in read(sign_in(alice).get("/"))


def test_an_operator_sees_what_goes_on_and_where_it_is_listed(sign_in, alice, olga):
    waiting = factories.submit(alice)
    now = timezone.now()
    rows.create_request(alice, account=waiting.account, status="FAILED", failure="422", created_at=now, ended_at=now)
    for kind, days in (("list has a field total", 1), ("workstation has a field color", 8)):
        models.Notice.objects.create(kind=kind, first_at=now - timedelta(days=days))

    page = read(sign_in(olga).get("/"))

    links = {link: " ".join(strip_tags(words).split()) for link, words in re.findall('<a href="(.*?)">(.*?)</a>', page)}
    assert links["/requests/?status=QUEUED"] == "Queued: 1"
    assert links["/requests/?status=SENDING"] == "Sending: 0"
    assert links["/requests/?failure=422"] == "Most frequent failure: 422 (1)"
    assert links["/admin/portal/notice/"] == "New API changes: 1", "of the last seven days"
    figures = dict(re.findall(r"<dt>([^<]*)</dt>\s*<dd>\s*(\d+)\s*</dd>", page))
    assert figures["Requests"] == "2"
    assert 'href="/requests/?status=FAILED"' in page
    assert "Ready, of 1 that ended" in figures
    assert "needs you" not in page


def test_what_needs_an_operator_comes_first_and_says_what_it_is(sign_in, alice, anna, olga):
    factories.submit(alice)
    account = accounts.get_current_account()
    rows.create_request(
        alice,
        account=account,
        type="chromium",
        status="UNKNOWN",
        failure="no-answer",
        was_unknown=True,
        operator_note="?",
    )
    models.Workstation.objects.create(account=account, uid="nobodys", type="golang")
    models.Key.objects.update(state="PAUSED", cause="402", paused_at=Now(), operator_only=True)
    page = read(sign_in(olga).get("/"))
    needed = page.partition('id="needed"')[2].partition("</section>")[0]
    assert "3 things need you" in needed
    assert "Paused: payment required, since" in needed
    assert "1 waiting, the oldest since" in needed
    assert "<bdi>alice</bdi>: was <bdi>Chromium</bdi> created?" in needed
    assert "1 unassigned workstation" in needed
    assert 'action="/key/resume/"' in needed
    assert page.index('id="needed"') < page.index('id="overview"') < page.index('id="look-up"')
    assert "need you" not in read(sign_in(anna).get("/"))


def test_it_says_which_request_paused_sending_and_since_when_people_are_asked(sign_in, alice, olga):
    now, values = timezone.now(), {"status": "UNKNOWN", "failure": "no-answer", "was_unknown": True}
    cause = factories.submit(alice)
    asked = rows.create_request(alice, account=cause.account, operator_note="?", **values)
    audit.record(Verb.NEEDS_REVIEW, asked)
    keys = models.Key.objects.filter(account=cause.account)
    keys.update(state="PAUSED", cause="402", paused_at=now, operator_only=True)
    audit.record(Verb.PAUSE, keys.get(), detail={"cause": "402", "request": cause.pk})
    needed = read(sign_in(olga).get("/")).partition('id="needed"')[2].partition("</section>")[0]
    words = " ".join(strip_tags(needed).split())
    assert f"Caused by {cause.label}." in words
    assert f'href="/requests/{cause.pk}/"' in needed
    assert re.search(rf"{asked.label} alice: was Python created\? asked since \d+ [A-Z][a-z]+, \d\d:\d\d UTC", words)


def test_it_says_when_all_is_known_that_is_checked_and_what_runs_for_long(sign_in, alice, olga):
    account, now = accounts.get_current_account(), timezone.now()
    portal_request = rows.create_request(alice, account=account, status="UNKNOWN", failure="no-answer")
    attempt = rows.create_attempt(portal_request, outcome="UNKNOWN", failure="no-answer", deadline_at=now)
    rows.create_workstation(rows.create_request(alice, account=account, status="SUCCEEDED", ended_at=now), uid="long")
    models.Workstation.objects.update(account=account, first_seen_at=Now() - timedelta(hours=9))

    def read_figures() -> str:
        page = read(sign_in(olga).get("/"))
        return " ".join(strip_tags(page.partition('id="overview"')[2].partition("Last 24 hours")[0]).split())

    known_by = review.find_known_by(account=account, now=now)
    assert known_by is not None
    assert known_by > attempt.deadline_at
    assert f"Checking: 1 (by {known_by:%H:%M} UTC)" in read_figures()
    assert "Running: 1 (over 8 h: 1)" in read_figures()
    models.Request.objects.filter(pk=portal_request.pk).update(operator_note="?")
    assert "(by" not in read_figures()


@pytest.mark.parametrize(("cause", "can_resume"), [("402", True), ("database-moved", False)])
def test_an_operator_ends_a_pause_from_there_unless_it_is_a_question(sign_in, anna, olga, cause, can_resume):
    accounts.get_current_account()
    models.Key.objects.update(state="PAUSED", cause=cause, paused_at=Now(), operator_only=True)

    assert ('action="/key/resume/"' in read(sign_in(olga).get("/"))) is can_resume
    assert 'action="/key/resume/"' not in read(sign_in(anna).get("/"))


def test_an_auditor_sees_how_far_the_log_is_sealed(sign_in, anna):
    assert "Not sealed yet" in read(sign_in(anna).get("/"))


@pytest.mark.parametrize(("cause", "ends_by_itself"), [("429", True), ("500", True), ("402", False)])
def test_a_pause_that_ends_by_itself_says_when_and_nothing_of_a_request(sign_in, alice, cause, ends_by_itself):
    accounts.get_current_account()
    until = Now() + timedelta(minutes=2) if ends_by_itself else None
    models.Key.objects.update(state="PAUSED", cause=cause, paused_at=Now(), paused_until=until)
    page = sign_in(alice).get("/key/").content.decode()
    assert ("Sending resumes by itself at" in page) is ends_by_itself
    assert ("Is it safe to try again?" in page) is not ends_by_itself
