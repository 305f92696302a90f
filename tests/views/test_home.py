"""A member's home, and the overview on top of it for whoever sees everything."""

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
from portal.services.lives import carrying_out, ends
from portal.services.mirrors import releases
from portal.services.reconciliation import review
from tests import factories
from tests.admin import rows
from tests.browser import read

pytestmark = pytest.mark.django_db


def fail(person, *, code="422", age=timedelta(0), workspace_uid="") -> models.Request:
    now = timezone.now() - age
    return rows.create_request(
        person, status="FAILED", failure=code, created_at=now, ended_at=now, workspace_uid=workspace_uid
    )


def read_section(browser, name: str = "urgent") -> str:
    return read(browser.get("/")).partition(f'id="{name}"')[2].partition("</section>")[0]


def test_a_refused_workspace_is_answered_with_a_new_one(sign_in, alice):
    failed = fail(alice, workspace_uid="gone")
    urgent, again = read_section(sign_in(alice)), f"/requests/new/?again={failed.pk}"
    assert f'href="{again}"' in urgent
    assert "Try again with a new workspace" in urgent
    page = sign_in(alice).get(again).text
    assert "find the workspace" in page
    assert re.search(r'value="\+new"[^>]*checked', page)


def test_all_that_asks_for_something_is_counted_and_the_rest_is_linked(sign_in, alice):
    uncertain = fail(alice, code="no-answer")
    urgent = read_section(sign_in(alice))
    assert f'href="/requests/{uncertain.pk}/"' in urgent
    assert "again=" not in urgent, "it may have been created"
    for _ in range(4):
        fail(alice)
    urgent = read_section(sign_in(alice))
    assert "Needs your attention (5)" in urgent
    assert '2 more are in <a href="/requests/">' in urgent


def test_a_failure_that_is_past_asks_for_nothing(sign_in, alice):
    fail(alice, age=timedelta(days=8))
    assert not read_section(sign_in(alice)), "it is old"
    fail(alice)
    rows.create_request(alice, ended_at=timezone.now())
    assert not read_section(sign_in(alice)), "there is a success since"


def test_an_unknown_request_that_its_requester_may_settle_asks_for_attention(sign_in, alice):
    asked = rows.create_request(alice, status="UNKNOWN", failure="no-answer")
    factories.ask_people(asked)
    browser = sign_in(alice)
    assert f'href="/requests/{asked.pk}/"' in read_section(browser)
    assert "You have no running workstations." in read(browser.get("/"))


def test_what_worked_before_is_one_press_away_each_once(sign_in, alice):
    for _ in range(2):
        rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now())
    assert len(re.findall(r'class="btn slim" href="/requests/new/\?again=', read(sign_in(alice).get("/")))) == 1


def test_nothing_of_anybody_elses_is_there(sign_in, alice, bob):
    failed, waiting = fail(bob), factories.submit(bob)
    running = rows.create_workstation(rows.create_request(bob, status="SUCCEEDED", ended_at=timezone.now()))
    page = read(sign_in(alice).get("/"))
    for found in (failed.label, waiting.label, running.uid):
        assert found not in page


def test_what_somebody_else_released_is_said_once_with_who_and_why(sign_in, alice, bob, olga):
    rows.create_workstation(alice_s := rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now()))
    releases.request_release(actor=olga, workstation=alice_s.workstation, reason="Idle since this morning.")
    rows.create_workstation(own := rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now()), uid="own")
    releases.request_release(actor=alice, workstation=own.workstation)
    browser = sign_in(alice)
    section = read_section(browser, "released")
    assert "<bdi>olga</bdi> released <bdi>Python</bdi>" in section
    assert re.search(rf"{alice_s.label}</a> .*just now</time>: <bdi>Idle since this morning.</bdi>", section)
    assert own.label not in section
    link = re.search(r'action="(/dismiss/[0-9]*/)"', section)
    assert link
    assert not read_section(sign_in(bob), "released")
    browser.post(link[1])
    assert not read_section(browser, "released")
    assert not read_section(sign_in(alice), "released")


def test_a_later_release_is_said_though_an_earlier_one_was_dismissed(sign_in, alice, olga):
    dismissed: list[str] = []
    for uid in ("first", "second"):
        rows.create_workstation(one := rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now()), uid=uid)
        releases.request_release(actor=olga, workstation=one.workstation, reason="Idle.")
        browser = sign_in(alice)
        section = read_section(browser, "released")
        assert one.label in section
        assert not any(f"{label}<" in section for label in dismissed)
        link = re.search(r'action="(/dismiss/[0-9]*/)"', section)
        assert link
        browser.post(link[1])
        dismissed.append(one.label)
    assert sign_in(alice).post(f"/dismiss/{2**64}/").status_code == 302


def test_a_release_that_was_taken_back_is_none(sign_in, alice):
    account = accounts.get_current_account()
    rows.create_workstation(one := rows.create_request(alice, account=account), account=account)
    models.Workstation.objects.update(ends_at=Now(), end_set_at=Now(), end_warnings=2)
    lease, browser = factories.acquire_lease(name="ends"), sign_in(alice)
    lease.run(carrying_out.carry_out_ends, watched=factories.make_steady(lease))
    assert "The portal released" in read_section(browser, "released")
    ends.extend_life(actor=alice, workstation=one.workstation)
    assert not read_section(browser, "released")
    releases.request_release(actor=alice, workstation=one.workstation)
    assert not read_section(browser, "released")
    factories.end_workstations()
    assert "the portal" not in read(browser.get(f"/requests/{one.pk}/"))


# --- The overview ---


def test_an_operator_sees_what_goes_on_and_where_it_is_listed_and_a_member_does_not(sign_in, alice, olga):
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
    own = read(sign_in(alice).get("/"))
    assert 'id="overview"' not in own
    assert f'action="/requests/{waiting.pk}/cancel/"' in own


def test_what_needs_an_operator_comes_first_and_says_what_it_is(sign_in, alice, anna, olga):
    cause = factories.submit(alice)
    values = {"account": cause.account, "status": "UNKNOWN", "failure": "no-answer", "operator_note": "?"}
    asked = rows.create_request(alice, type="chromium", **values)
    audit.record(Verb.NEEDS_REVIEW, asked)
    models.Workstation.objects.create(account=cause.account, uid="nobodys", type="golang")
    keys = models.Key.objects.filter(account=cause.account)
    keys.update(state="PAUSED", cause="402", paused_at=Now(), operator_only=True)
    audit.record(Verb.PAUSE, keys.get(), detail={"cause": "402", "request": cause.pk})
    page, needed = read(sign_in(olga).get("/")), read_section(sign_in(olga), "needed")
    words = " ".join(strip_tags(needed).split())
    assert "3 things need you" in needed
    assert "Paused: payment required, since" in needed
    assert f"Caused by {cause.label}." in words
    assert f'href="/requests/{cause.pk}/"' in needed
    assert "1 waiting, the oldest since" in needed
    assert re.search(rf"{asked.label} alice: was Chromium created\? asked since \d+ [A-Z][a-z]+, \d\d:\d\d UTC", words)
    assert "1 unassigned workstation" in needed
    assert 'action="/key/resume/"' in needed
    assert page.index('id="needed"') < page.index('id="overview"') < page.index('id="look-up"')
    shown = read(sign_in(anna).get("/"))
    assert [words in shown for words in ("need you", 'action="/key/resume/"', "Not sealed yet")] == [False, False, True]
    keys.update(cause="database-moved")
    assert 'action="/key/resume/"' not in read(sign_in(olga).get("/")), "it is a question"


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
    factories.update(portal_request, operator_note="?")
    assert "(by" not in read_figures()
