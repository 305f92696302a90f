"""What the page of one request says of its life."""

import re
from datetime import timedelta

import pytest
from django.conf import settings

from portal import models
from portal.models.clock import Now
from portal.services.mirrors import releases
from portal.services.reports import timeline
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db
calls_the_provider = pytest.mark.django_db(transaction=True)


@calls_the_provider
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
    attempt = rows.create_attempt(portal_request, ended_at=rows.NOW + timedelta(seconds=65))
    request_history = timeline.read_request_history(portal_request=portal_request)
    steps = timeline.list_steps(request_history=request_history)
    assert [(step.at, step.took) for step in steps if step.took] == [(attempt.claimed_at, 65)]
    rows.create_attempt(portal_request, outcome="NOT_SENT", failure="")
    request_history = timeline.read_request_history(portal_request=portal_request)
    given_back = timeline.list_steps(request_history=request_history)[2]
    assert (given_back.took, given_back.text[:16]) == (None, "Nothing was sent")
    assert "It took 1 min 05 s." in sign_in(alice).get(f"/requests/{portal_request.pk}/").text


@calls_the_provider
def test_what_the_lists_lag_puts_off_when_the_outcome_can_be_known(sandbox, alice):
    portal_request = factories.send_until_settled(factories.submit(alice, workspace_uid="reset"))
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


@calls_the_provider
def test_a_request_that_was_tried_often_stays_short(sandbox, sign_in, alice):
    portal_request = factories.submit(alice, workspace_uid="fail-429-retry-3")
    for _ in range(15):
        models.Key.objects.update(state="ACTIVE", cause="", paused_at=None, paused_until=None)
        models.Request.objects.update(next_attempt_at=None)
        factories.send_once()
    page = sign_in(alice).get(f"/requests/{portal_request.pk}/").text
    assert "9 steps more" in page
    assert len(re.findall(r"<h3>\s*Sending", page)) == 15


@calls_the_provider
def test_what_became_of_the_workstation_is_said(sandbox, sign_in, alice):
    workstation = factories.create_workstation(alice)
    path = f"/requests/{workstation.request_id}/"
    page = sign_in(alice).get(path).text
    assert re.findall(r'class="btn primary"[^>]*>\s*([\w ]*)', page) == ["Open desktop"]
    assert "View workstation" in page
    assert "given back" not in page

    releases.request_release(actor=alice, workstation=workstation)
    models.Workstation.objects.update(ended_at=models.clock.Now())
    page = sign_in(alice).get(path).text
    assert "Workstation released" in page
    assert "See its files and logs" in page


def test_an_operator_cancels_what_somebody_else_waits_for_and_says_why(sign_in, alice, anna, olga):
    number = factories.submit(alice).pk
    page, close = f"/requests/{number}/", f"/requests/{number}/close/"
    assert "Cancel for <bdi>alice</bdi>…" in sign_in(olga).get(page).text
    assert all("Cancel for" not in sign_in(person).get(page).text for person in (anna, alice))
    assert sign_in(olga).post(close, {"reason": ""}).context["reason_form"].errors

    sign_in(olga).post(close, {"reason": "It stops the queue."})
    assert models.Request.objects.get().status == "CANCELLED"
    event = models.Event.objects.get(verb="cancel")
    assert (event.actor_name, event.reason, event.request_number) == ("olga", "It stops the queue.", number)
    shown = sign_in(alice).get(page).text
    assert "Cancelled by an operator" in shown
    assert "It stops the queue." in shown


@calls_the_provider
@pytest.mark.parametrize("uid", ["fail-500", "reset", "garbage"])
def test_what_an_operator_marked_as_failed_is_no_longer_said_to_be_checked(sandbox, sign_in, alice, olga, uid):
    number = factories.send_until_settled(factories.submit(alice, workspace_uid=uid)).pk
    page = f"/requests/{number}/"
    assert "Checking whether it was created" in sign_in(alice).get(page).text

    sign_in(olga).post(f"/requests/{number}/close/", {"reason": "Their support found none."})
    shown = sign_in(alice).get(page).text.replace("&#x27;", "'")
    assert "Their support found none." in shown
    assert "the portal no longer checks what happened" in shown
    assert "Yes, but if AgentStation has created a workstation for this request after all" in shown
    checking = ("Checking whether", "Not yet", "while the portal is checking")
    assert not [words for words in (*checking, "need to do anything", "The portal looks for") if words in shown]


@calls_the_provider
def test_what_was_cancelled_while_unknown_is_not_said_to_be_nothing(sandbox, sign_in, alice):
    portal_request = factories.send_until_settled(factories.submit(alice, workspace_uid="reset"))
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
