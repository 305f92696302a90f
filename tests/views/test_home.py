"""A member's home: what runs, what is under way, what asks for something, and what worked before."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal import models
from portal.services.mirrors import releases
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
    urgent = read_section(sign_in(alice))
    assert f'href="/requests/new/?again={failed.pk}"' in urgent
    assert "Try again with a new workspace" in urgent
    page = sign_in(alice).get(f"/requests/new/?again={failed.pk}").content.decode()
    assert "find the workspace" in page
    assert re.search(r'value="\+new"[^>]*checked', page)


def test_all_that_asks_for_something_is_counted_and_the_rest_is_linked(sign_in, alice):
    for _ in range(5):
        fail(alice)
    urgent = read_section(sign_in(alice))
    assert "Needs your attention (5)" in urgent
    assert '2 more are in <a href="/requests/">' in urgent


def test_what_may_have_been_created_is_not_simply_asked_for_again(sign_in, alice):
    failed = fail(alice, code="no-answer")
    urgent = read_section(sign_in(alice))
    assert f'href="/requests/{failed.pk}/"' in urgent
    assert "again=" not in urgent


def test_a_failure_that_is_past_asks_for_nothing(sign_in, alice):
    fail(alice, age=timedelta(days=8))
    assert not read_section(sign_in(alice)), "it is old"
    fail(alice)
    rows.create_request(alice, ended_at=timezone.now())
    assert not read_section(sign_in(alice)), "there is a success since"


def test_an_unknown_request_that_its_requester_may_settle_asks_for_attention(sign_in, alice):
    asked = rows.create_request(alice, status="UNKNOWN", failure="no-answer", was_unknown=True)
    factories.ask_people(asked)
    browser = sign_in(alice)
    assert f'href="/requests/{asked.pk}/"' in read_section(browser)
    assert "You have no running workstations." in read(browser.get("/"))


def test_what_waits_can_be_cancelled_from_there(sign_in, alice):
    waiting = factories.submit(alice)
    assert f'action="/requests/{waiting.pk}/cancel/"' in read(sign_in(alice).get("/"))


def test_what_worked_before_is_one_press_away_each_once(sign_in, alice):
    for _ in range(2):
        rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now())
    page = read(sign_in(alice).get("/"))
    assert len(re.findall(r'class="btn slim" href="/requests/new/\?again=', page)) == 1


def test_nothing_of_anybody_elses_is_there(sign_in, alice, bob):
    failed, waiting = fail(bob), factories.submit(bob)
    theirs = rows.create_request(bob, status="SUCCEEDED", ended_at=timezone.now())
    running = rows.create_workstation(theirs)
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
