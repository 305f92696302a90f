"""What the page of one request says: what it waits for, whose turn it is, and step by step what became of it."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.mirrors import releases
from portal.services.reports import timeline
from tests import browser, factories
from tests.admin import rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def read(sign_in, alice, olga):
    def read(portal_request: models.Request, *, person: models.User = alice) -> str:
        return browser.read(sign_in(person).get(f"/requests/{portal_request.pk}/"))

    return read


@pytest.fixture
def online(db) -> None:
    models.Worker.objects.create(name="one", seen_at=timezone.now() + timedelta(days=1))


@pytest.mark.parametrize(
    ("uid", "title", "actor"),
    [
        ("fail-401", "Paused for the whole team: API key rejected", "Who can fix this: <bdi>olga or oscar</bdi>"),
        ("fail-402", "Paused for the whole team: payment required", "Who can fix this: the account owner (billing)"),
        ("fail-429", "Paused for the whole team: rate limit reached", "You don't need to do anything now."),
    ],
)
def test_under_a_pause_it_says_who_can_end_it(sandbox, online, read, settings, alice, olga, uid, title, actor):
    factories.create_user("oscar", "Operators")
    settings.PORTAL_RETRY_DELAY = 30.0
    factories.submit(alice, workspace_uid=uid)
    factories.send_once()
    page = read(factories.submit(alice))
    assert f'{title} <span class="mono muted">({uid[5:]})' in page
    assert actor in page
    assert "This request has not failed." in page
    assert uid == "fail-429" or page.count("olga or oscar resumes sending") == 2, "in the notice, and here"


def test_of_more_than_three_operators_none_is_named(read, alice, olga):
    named = [factories.create_user(name, "Operators") for name in ("oscar", "otto", "ottilie")]
    page = read(factories.submit(alice))
    assert "Waiting: the background worker is offline" in page
    assert "Who can fix this: <bdi>an operator</bdi>" in page
    models.User.objects.filter(pk=named[0].pk).update(is_active=False)
    assert "Who can fix this: <bdi>olga, ottilie or otto</bdi>" in read(factories.submit(alice))


def test_an_operator_is_told_that_it_is_their_turn_and_what_to_do(sandbox, online, read, alice, olga):
    failed = factories.submit(alice, workspace_uid="fail-401")
    factories.send_until_settled(failed)
    assert "Who can fix this: you, as a portal operator" in read(factories.submit(alice), person=olga)
    page = read(failed, person=olga)
    assert "Replace the API key" in page
    assert "Tell olga" not in page


def test_from_its_end_on_a_pause_reads_resuming_on_every_page_and_nothing_is_written(
    sandbox, online, read, settings, sign_in, alice, olga
):
    """Nobody asks: no claim ends the pause."""
    settings.PORTAL_RETRY_DELAY = 30.0
    factories.submit(alice, workspace_uid="fail-429-retry-3")
    factories.send_once()
    waiting, paths = factories.submit(alice), ("/", "/requests/", "/requests/new/", "/key/", "/failures/", "/usage/")
    assert "Paused for the whole team" in read(waiting)
    models.Key.objects.update(paused_until=Now() - timedelta(seconds=1))
    row = models.Key.objects.values().get()
    for person in (alice, olga):
        for page in [read(waiting, person=person), *(sign_in(person).get(path).text for path in paths)]:
            assert 'data-key="resuming"' in page
            assert "Resuming: the next request tests" in page
            assert "Requests are paused" not in page
    assert "Resuming: requests are sent one at a time until one succeeds." in read(waiting)
    assert "Resuming: the next request tests whether" in sign_in(alice).get("/requests/new/").text.split("<main")[1]
    assert models.Key.objects.values().get() == row


def test_a_pause_lasted_until_its_end_though_the_next_claim_came_late(sandbox, database_clock, online, sign_in, alice):
    def read_length() -> str:
        page = sign_in(alice).get("/key/").text
        return " ".join(re.findall(r"Rate limit reached</span>\s*<span>(.+?)</span>", page, re.DOTALL)[0].split())

    factories.submit(alice)
    factories.submit(alice)
    calls = {"3": factories.claim(), "30": factories.claim()}
    for seconds, call in calls.items():  # the later end replaces the earlier
        sandbox.script({"status": 429, "headers": {"Retry-After": seconds}})
        factories.record(call, factories.send(call))
    assert read_length() == "not resumed yet"
    database_clock.step(seconds=290)
    assert read_length() == "30 s, resumed by itself"
    factories.claim()
    assert read_length() == "30 s, resumed by itself"
    assert factories.list_events("resume").count() == 1


def test_between_two_attempts_it_says_what_came_and_when_it_goes_on(sandbox, online, read, settings, alice):
    settings.PORTAL_RETRY_DELAY = 30.0
    waiting = factories.submit(alice, workspace_uid="fail-503")
    factories.send_once()
    page = read(waiting)
    assert 'Waiting to try again: AgentStation is overloaded <span class="mono muted">(503)' in page
    assert "Nothing was created. The portal tries again by itself at" in page
    assert "You don't need to do anything now." in page


def test_in_the_queue_it_tells_its_place(sandbox, online, read, alice, bob):
    _, second, _ = factories.submit_for(alice, alice, bob)
    assert "Calls under way at one time: 16 at most. Its place in the queue: 3." in read(second)


def test_where_a_person_has_to_decide_its_state_is_needs_review_everywhere(sandbox, read, sign_in, alice, olga):
    unknown = factories.submit_and_settle(alice, workspace_uid="reset")
    assert "<bdi>Checking</bdi>" in read(unknown)
    factories.ask_people(unknown)
    for person in (alice, olga):
        page = read(unknown, person=person)
        assert "<bdi>Needs review</bdi>" in page
        assert not re.search(r"<h3>\s*Checking", page), "the last step says it, too"
        assert "<bdi>Needs review</bdi>" in sign_in(person).get("/requests/").text


# --- Step by step ---


def test_request_and_attempts_are_of_one_moment(sandbox, alice):
    """What was read before a failure was recorded is not shown beside the attempt that failed."""
    read_before = factories.submit(alice, workspace_uid="fail-503")
    factories.send_once()
    request_history = timeline.read_request_history(portal_request=read_before)
    assert read_before.attempt_count == 0
    assert (request_history.portal_request.status, request_history.portal_request.attempt_count) == ("QUEUED", 1)
    assert [attempt.outcome for attempt in request_history.attempts] == ["FAILED"]


def test_a_station_says_when_it_began_and_how_long_it_took(sign_in, alice):
    portal_request = rows.create_request(alice)

    def list_steps() -> list[timeline.Step]:
        return timeline.list_steps(request_history=timeline.read_request_history(portal_request=portal_request))

    attempt = rows.create_attempt(portal_request, ended_at=rows.NOW + timedelta(seconds=65))
    assert [(step.at, step.took) for step in list_steps() if step.took] == [(attempt.claimed_at, 65)]
    rows.create_attempt(portal_request, outcome="NOT_SENT", failure="")
    given_back = list_steps()[2]
    assert (given_back.took, given_back.text[:16]) == (None, "Nothing was sent")
    assert "It took 1 min 05 s." in sign_in(alice).get(f"/requests/{portal_request.pk}/").text


def test_what_the_lists_lag_puts_off_when_the_outcome_can_be_known(sandbox, alice):
    portal_request = factories.submit_and_settle(alice, workspace_uid="reset")
    first = timeline.read_request_history(portal_request=portal_request).known_by
    models.Account.objects.update(longest_lag=100, longest_lag_at=Now())
    later = timeline.read_request_history(portal_request=portal_request).known_by
    assert first is not None
    assert later is not None
    assert (later - first).total_seconds() == pytest.approx(2 * (300 - settings.PORTAL_RECONCILE_GRACE))


@pytest.mark.parametrize(("number", "folded"), [(12, 0), (13, 4), (47, 38)])
def test_many_stations_are_folded_in_the_middle_and_none_is_left_out(number, folded):
    steps = [timeline.Step(title=str(index), state="done") for index in range(number)]
    first, middle, last = timeline.fold_steps(steps=steps)
    assert len(middle) == folded
    assert [*first, *middle, *last] == steps


def test_a_request_that_was_tried_often_stays_short(sandbox, sign_in, alice):
    portal_request = factories.submit(alice, workspace_uid="fail-429-retry-3")
    for _ in range(15):
        models.Key.objects.update(state="ACTIVE", cause="", paused_at=None, paused_until=None)
        models.Request.objects.update(next_attempt_at=None)
        factories.send_once()
    page = sign_in(alice).get(f"/requests/{portal_request.pk}/").text
    assert "9 steps more" in page
    assert len(re.findall(r"<h3>\s*Sending", page)) == 15


def test_what_became_of_the_workstation_is_said(sandbox, sign_in, alice):
    workstation = factories.create_workstation(alice)
    path = f"/requests/{workstation.request_id}/"
    page = sign_in(alice).get(path).text
    assert re.findall(r'class="btn primary"[^>]*>\s*([\w ]*)', page) == ["Open desktop"]
    assert "View workstation" in page
    assert "given back" not in page

    releases.request_release(actor=alice, workstation=workstation)
    factories.end_workstations()
    page = sign_in(alice).get(path).text
    assert "Workstation released" in page
    assert "See its files and logs" in page


def test_an_operator_cancels_what_somebody_else_waits_for_and_says_why(sign_in, alice, anna, olga):
    number = factories.submit(alice).pk
    page, close = f"/requests/{number}/", f"/requests/{number}/close/"
    offered = ["Cancel for <bdi>alice</bdi>…" in sign_in(person).get(page).text for person in (olga, anna, alice)]
    assert offered == [True, False, False]
    assert sign_in(olga).post(close, {"reason": ""}).context["reason_form"].errors
    sign_in(olga).post(close, {"reason": "It stops the queue."})
    event = factories.find_event("cancel")
    assert (event.actor_name, event.reason, event.request_number) == ("olga", "It stops the queue.", number)
    shown = sign_in(alice).get(page).text
    assert not [words for words in ("Cancelled by an operator", "It stops the queue.") if words not in shown]


@pytest.mark.parametrize("uid", ["fail-500", "reset"])
def test_what_an_operator_marked_as_failed_is_no_longer_said_to_be_checked(sandbox, sign_in, alice, olga, uid):
    number = factories.submit_and_settle(alice, workspace_uid=uid).pk
    page = f"/requests/{number}/"
    assert "Checking whether it was created" in sign_in(alice).get(page).text

    sign_in(olga).post(f"/requests/{number}/close/", {"reason": "Their support found none."})
    shown = sign_in(alice).get(page).text.replace("&#x27;", "'")
    assert "Their support found none." in shown
    assert "the portal no longer checks what happened" in shown
    assert "Yes, but if AgentStation has created a workstation for this request after all" in shown
    checking = ("Checking whether", "Not yet", "while the portal is checking")
    assert not [words for words in (*checking, "need to do anything", "The portal looks for") if words in shown]


def test_what_was_cancelled_while_unknown_is_not_said_to_be_nothing(sandbox, sign_in, alice):
    portal_request = factories.submit_and_settle(alice, workspace_uid="reset")
    factories.ask_people(portal_request)
    sign_in(alice).post(f"/requests/{portal_request.pk}/cancel/")
    shown = sign_in(alice).get(f"/requests/{portal_request.pk}/").text
    assert "Its outcome was never known." in shown
    assert "Nothing was created" not in shown.partition('id="progress"')[0]


def test_a_rehearsal_is_called_one(settings, sign_in, alice):
    settings.USING_SANDBOX = True
    number = factories.submit(alice, workspace_uid="fail-402").pk
    assert "This is a simulation" in sign_in(alice).get(f"/requests/{number}/").text
    assert "A simulation:" in sign_in(alice).get("/requests/new/?workspace_id=slow-6").text
    assert "ehearsal:" not in sign_in(alice).get("/requests/new/?workspace_id=atlas").text
    settings.USING_SANDBOX = False
    assert "ehearsal" not in sign_in(alice).get(f"/requests/{number}/").text
