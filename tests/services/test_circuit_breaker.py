"""The pause, rule by rule."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.db.models import F

from portal import agentstation, models
from portal.db import clock
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, credentials
from portal.services.requests import dispatch
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import statuses

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /workstations"


def get_key() -> models.Key:
    return models.Key.objects.select_related("account").get(account=accounts.get_current_account())


def state() -> tuple[str, str]:
    key = get_key()
    return key.state, key.cause


def hold_seconds() -> float:
    key = get_key()
    assert key.paused_until is not None, "the pause has no end"
    return (key.paused_until - clock.read_clock()).total_seconds()


def end_pause() -> None:
    assert models.Key.objects.filter(state="PAUSED", paused_until__isnull=False).update(paused_until=Now()) == 1


def ask(sandbox, requester: models.User, *responses: Mapping[str, object]) -> models.Request:
    if responses:
        sandbox.script(list(responses))
    return factories.submit_and_send(requester)


def call_all(sandbox, requester: models.User, count: int) -> list[dispatch.Call]:
    for _ in range(count):
        factories.submit(requester)
    return [factories.claim() for _ in range(count)]


def finish(sandbox, call: dispatch.Call, response: Mapping[str, object] | None = None) -> models.Request:
    if response:
        sandbox.script(response)
    factories.finish(call)
    return models.Request.objects.get(attempts=call.attempt_id)


def make_probe_due() -> None:
    assert models.Key.objects.exclude(probe_at=None).update(probe_at=Now()) == 1


def make_probe(lease: leases.Lease) -> bool:
    return lease.run(credentials.probe_key, client=clients.make_client())


def resume(operator: models.User) -> None:
    circuit_breaker.resume_key(actor=operator, account=accounts.get_current_account())


# --- 401 and 402: until somebody ends it ---


@pytest.mark.parametrize("status", [401, 402])
def test_only_the_request_that_stopped_the_key_fails_and_the_others_wait_uncounted(sandbox, alice, bob, status):
    first, second = call_all(sandbox, alice, 2)
    waiting = factories.submit(bob)

    stopper = finish(sandbox, first, {"name": f"fail-{status}"})
    other = finish(sandbox, second, {"name": f"fail-{status}"})

    assert (stopper.status, stopper.failure, stopper.attempt_count) == ("FAILED", str(status), 1)
    assert (other.status, other.failure, other.attempt_count) == ("QUEUED", "", 0)
    assert state() == ("PAUSED", str(status))
    assert factories.claim_next() is None
    assert statuses(waiting) == ["QUEUED"]
    assert factories.list_events("pause").count() == 1


def test_the_log_tells_of_a_pause_and_of_its_end(sandbox, alice, olga, caplog):
    caplog.set_level("INFO", logger="portal.services.key.circuit_breaker")
    ask(sandbox, alice, {"name": "fail-402"})
    resume(olga)
    ask(sandbox, alice)
    ask(sandbox, alice, {"name": "fail-429-retry-3"})

    until = get_key().paused_until
    assert [
        record.getMessage() for record in caplog.records if record.name == "portal.services.key.circuit_breaker"
    ] == [
        "Sending is paused until an operator resumes sending: payment required.",
        "Sending goes on, one request at a time until one succeeds.",
        "Sending goes on as usual.",
        f"Sending is paused until {until:%Y-%m-%d %H:%M:%S} UTC: rate limit reached.",
    ]


@pytest.mark.parametrize("status", [401, 402])
def test_who_meets_the_same_pause_while_it_resumes_goes_back_behind_the_others(sandbox, alice, olga, status):
    ask(sandbox, alice, {"name": f"fail-{status}"})
    resume(olga)
    older, newer = factories.submit(alice), factories.submit(alice)

    sandbox.script({"name": f"fail-{status}"})
    factories.send_once()

    assert (statuses(older), older.attempt_count) == (["QUEUED"], 0)
    assert state() == ("PAUSED", str(status))
    resume(olga)
    factories.send_once()
    assert statuses(newer) == ["SUCCEEDED"]


def test_nobody_can_resume_what_is_not_paused(sandbox, alice, olga):
    ask(sandbox, alice)
    with pytest.raises(circuit_breaker.PauseRefused):
        resume(olga)


# --- Probes ---


@pytest.mark.parametrize("name", ["fail-401", "fail-402", "fail-500", "garbage", "reset"])
def test_a_probe_that_does_not_pass_ends_nothing(sandbox, alice, lease, name):
    ask(sandbox, alice, {"name": "fail-401"})
    make_probe_due()
    sandbox.script({"on": LIST, "name": name})
    assert make_probe(lease) is False
    assert state() == ("PAUSED", "401")
    assert factories.find_event("probe").detail["passed"] is False


def test_a_probe_that_passes_resumes_and_a_success_opens(sandbox, alice, lease):
    ask(sandbox, alice, {"name": "fail-401"})
    make_probe_due()

    assert make_probe(lease) is True

    assert state() == ("RESUMING", "401")
    assert ask(sandbox, alice).status == "SUCCEEDED"
    assert state() == ("ACTIVE", "")
    event = factories.find_event("resume")
    assert (event.actor_name, event.detail) == (
        "",
        {"cause": "401", "by_probe": True, "before": "PAUSED", "after": "RESUMING"},
    )


def test_a_probe_that_passes_when_the_pause_has_become_an_operator_s_ends_nothing(sandbox, settings, alice, lease):
    ask(sandbox, alice, {"name": "fail-401"})
    account = accounts.get_current_account()
    make_probe_due()
    claimed = lease.run(circuit_breaker.claim_probe, account=account)
    assert claimed is not None
    settings.AGENTSTATION_API_KEY = "another key"
    factories.ask_whose_key()

    lease.run(circuit_breaker.note_probe, account=account, probe=claimed, failure=None)

    assert state() == ("PAUSED", "new-key")


# --- 429: until the time the provider named ---


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        ("-1", None),
        ("0", None),
        (str(10**9), 3600),
        ("9" * 400, None),
        ("soon", None),
        ("", None),
        (None, None),
        (lambda: in_seconds(90), 90),
        (lambda: in_seconds(-90), None),
        (lambda: in_seconds(10**7), 3600),
    ],
    ids=["3", "-1", "0", "1e9", "too-long", "word", "empty", "none", "date", "past-date", "far-date"],
)
def test_a_429_pauses_until_the_time_named_but_an_hour_at_most(sandbox, settings, alice, header, seconds):
    settings.PORTAL_RETRY_DELAY = 10.0
    text = header() if callable(header) else header
    portal_request = ask(sandbox, alice, {"status": 429, "headers": {} if text is None else {"Retry-After": text}})

    assert (portal_request.status, portal_request.attempt_count) == ("QUEUED", 0)
    assert state() == ("PAUSED", "429")
    # Without a time, or with one that is over: the first of our own, two retry delays.
    assert hold_seconds() == pytest.approx(20 if seconds is None else seconds, abs=3)
    assert get_key().operator_only is False
    attempt = portal_request.attempts.get()
    assert attempt.failure == "429"
    factories.pass_time(hold_seconds() + 1)
    assert factories.send_once().value is not None
    assert state() == ("ACTIVE", "")


def test_a_pause_names_the_request_whose_answer_it_came_with(sandbox, alice):
    assert circuit_breaker.find_stopping_request(key=get_key()) is None
    portal_request = ask(sandbox, alice, {"name": "fail-402"})
    assert circuit_breaker.find_stopping_request(key=get_key()) == portal_request.pk


# --- Several in a row ---


def test_a_refusal_that_is_not_documented_fails_three_requests_and_no_more(sandbox, settings, alice, bob):
    settings.PORTAL_RETRY_DELAY = 30.0
    calls = [*call_all(sandbox, alice, 3), *call_all(sandbox, bob, 3)]
    waiting = factories.submit(bob)

    ended = [finish(sandbox, call, {"status": 403}) for call in calls]

    assert [(one.status, one.attempt_count) for one in ended] == [("FAILED", 1)] * 3 + [("QUEUED", 0)] * 3
    assert state() == ("PAUSED", "other")
    assert hold_seconds() == pytest.approx(60, abs=5)
    assert factories.claim_next() is None
    assert statuses(waiting) == ["QUEUED"]


@pytest.mark.parametrize(("who", "type"), [("bob", "python"), ("alice", "golang")])
def test_a_refusal_of_another_person_or_type_too_pauses_until_somebody_resumes(sandbox, alice, bob, olga, who, type):
    for _ in range(3):
        ask(sandbox, alice, {"status": 403})
    end_pause()
    factories.submit({"alice": alice, "bob": bob}[who], type=type)
    sandbox.script({"status": 403})
    factories.send_once()
    assert (*state(), get_key().operator_only, get_key().paused_until) == ("PAUSED", "other", True, None)
    resume(olga)
    assert ask(sandbox, alice).status == "SUCCEEDED"
    assert state() == ("ACTIVE", "")


def test_three_that_could_not_be_sent_in_time_pause_with_a_cause_of_their_own(sandbox, settings, alice):
    settings.PORTAL_RETRY_DELAY = 30.0
    for _ in range(3):
        assert state() == ("ACTIVE", "")
        calls = call_all(sandbox, alice, 2)  # which one slow commit has claimed
        for call in calls:
            portal_request = finish(sandbox, replace(call, send_before=agentstation.boottime() - 1))
        assert (portal_request.status, portal_request.attempt_count) == ("QUEUED", 0)
        assert portal_request.next_attempt_at
        assert portal_request.next_attempt_at > clock.read_clock() + timedelta(seconds=10)
    assert state() == ("PAUSED", "not-sent")
    assert get_key().cause_title == "Database too slow"
    assert sandbox.record()["posts"] == []


def test_a_late_success_from_before_the_pause_leaves_it_as_it_is(sandbox, alice, olga, lease):
    first, second = call_all(sandbox, alice, 2)
    late = factories.send(first)
    finish(sandbox, second, {"name": "fail-402"})
    factories.make_overdue(first)
    factories.expire_overdue(lease=lease)

    factories.record(first, late)

    assert models.Request.objects.get(attempts=first.attempt_id).status == "SUCCEEDED"
    assert state() == ("PAUSED", "402")


def test_time_under_a_pause_adds_up(sandbox, alice, olga):
    for _ in range(2):
        ask(sandbox, alice, {"name": "fail-402"})
        models.Key.objects.update(paused_at=F("paused_at") - timedelta(seconds=100))
        resume(olga)
        models.Key.objects.update(state="ACTIVE", cause="")
        models.Request.objects.filter(status="QUEUED").update(status="CANCELLED", ended_at=Now(), took=1)
    assert get_key().paused_seconds == pytest.approx(200, abs=10)
