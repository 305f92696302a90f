"""The pause, rule by rule."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.db.models import F

from portal import agentstation, models
from portal.db import clock
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, credentials
from portal.services.requests import dispatch, submissions
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


def next_probe_in() -> float:
    key = get_key()
    assert key.probe_at is not None, "no probe is planned"
    return (key.probe_at - clock.read_clock()).total_seconds()


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


@pytest.mark.parametrize(("response", "becomes"), [({"name": "fail-401"}, ("QUEUED", 0)), (None, ("SUCCEEDED", 0))])
def test_a_response_from_before_the_pause_ended_says_nothing_of_the_key(sandbox, alice, olga, response, becomes):
    first, second = call_all(sandbox, alice, 2)
    finish(sandbox, first, {"name": "fail-401"})
    resume(olga)
    other = finish(sandbox, second, response)
    assert state() == ("RESUMING", "401")
    assert (other.status, other.attempt_count) == becomes


def test_a_response_to_the_former_key_says_nothing_of_the_new_one(sandbox, settings, alice, olga):
    first, second, third = call_all(sandbox, alice, 3)
    settings.AGENTSTATION_API_KEY = "another key"
    asked = factories.ask_whose_key()
    factories.submit(alice)
    assert factories.claim_next() is None
    assert state() == ("PAUSED", "new-key")
    with pytest.raises(circuit_breaker.PauseRefused):
        resume(olga)
    credentials.confirm_key(actor=olga, credential=asked, is_same_account=True)

    # All three are answered with 401 (the sandbox knows only the former key, or does not).
    for call in (first, second, third):
        finish(sandbox, call, {"name": "fail-401"})

    assert state() == ("RESUMING", "new-key")


@pytest.mark.parametrize("kind", ["429", "503"])
def test_a_pause_for_good_replaces_a_timed_one_and_is_never_replaced_by_one(sandbox, alice, kind):
    calls = call_all(sandbox, alice, 9)
    timed = {"name": "fail-429-retry-3"} if kind == "429" else {"name": "fail-503"}
    for _ in range(1 if kind == "429" else 3):
        finish(sandbox, calls.pop(), timed)
    assert state() == ("PAUSED", kind)

    other = finish(sandbox, calls.pop(), {"name": "fail-402"})

    assert (other.status, other.attempt_count) == ("QUEUED", 0), "it did not take the key from active to paused"
    assert (*state(), get_key().paused_until) == ("PAUSED", "402", None)
    for _ in range(1 if kind == "429" else 3):
        finish(sandbox, calls.pop(), timed)
    assert (*state(), get_key().paused_until) == ("PAUSED", "402", None)


def test_nobody_can_resume_what_is_not_paused(sandbox, alice, olga):
    ask(sandbox, alice)
    with pytest.raises(circuit_breaker.PauseRefused):
        resume(olga)


# --- Probes ---


def test_probes_for_a_401_are_made_at_growing_intervals_up_to_ten_minutes(sandbox, alice, lease):
    ask(sandbox, alice, {"name": "fail-401"})
    sandbox.script({"on": LIST, "name": "fail-401", "times": 9})
    assert make_probe(lease) is False
    assert not factories.list_events("probe").exists(), "it was not due"

    intervals = [next_probe_in()]
    for _ in range(8):
        make_probe_due()
        assert make_probe(lease) is False
        intervals.append(next_probe_in())

    assert intervals == pytest.approx([10, 20, 40, 80, 160, 320, 600, 600, 600], abs=5)
    assert [event.detail["passed"] for event in factories.list_events("probe")] == [False] * 8
    assert state() == ("PAUSED", "401")


@pytest.mark.parametrize("name", ["fail-401", "fail-402", "fail-500", "garbage", "reset"])
def test_a_probe_that_does_not_pass_ends_nothing(sandbox, alice, lease, name):
    ask(sandbox, alice, {"name": "fail-401"})
    make_probe_due()
    sandbox.script({"on": LIST, "name": name})
    assert make_probe(lease) is False
    assert state() == ("PAUSED", "401")


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


def test_a_401_right_after_a_probe_that_passed_needs_an_operator(sandbox, alice, olga, lease):
    ask(sandbox, alice, {"name": "fail-401"})
    make_probe_due()
    make_probe(lease)

    ask(sandbox, alice, {"name": "fail-422"})  # which tells nothing of the key
    ask(sandbox, alice, {"name": "fail-401"})

    key = get_key()
    assert (key.state, key.cause, key.probe_at, key.operator_only) == ("PAUSED", "401", None, True)
    assert make_probe(lease) is False
    resume(olga)
    assert factories.send_once().value is not None  # the one that had gone back
    assert state() == ("ACTIVE", "")


def test_a_401_after_an_operator_resumed_is_probed_for_again_from_the_first_interval(sandbox, alice, olga, lease):
    ask(sandbox, alice, {"name": "fail-401"})
    for _ in range(3):
        make_probe_due()
        sandbox.script({"on": LIST, "name": "fail-401"})
        make_probe(lease)
    resume(olga)

    ask(sandbox, alice, {"name": "fail-401"})

    assert get_key().operator_only is False
    assert next_probe_in() == pytest.approx(10, abs=5)


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


def test_what_is_in_flight_while_a_timed_pause_ends_keeps_nobody_waiting(sandbox, alice):
    refused, _ = call_all(sandbox, alice, 2)
    finish(sandbox, refused, {"status": 429, "headers": {"Retry-After": "3"}})
    factories.submit(alice)
    models.Key.objects.update(paused_until=Now())
    assert len(factories.claim_requests(worker="w", most=5)) == 1
    assert factories.claim_requests(worker="w", most=5) == []


def test_an_earlier_end_never_replaces_a_later_one(sandbox, alice):
    calls = call_all(sandbox, alice, 3)
    ends = []
    for seconds in ("100", "10", "200"):
        finish(sandbox, calls.pop(), {"status": 429, "headers": {"Retry-After": seconds}})
        ends.append(hold_seconds())
    assert ends == pytest.approx([100, 100, 200], abs=5)


# --- Several in a row ---


@pytest.mark.parametrize("name", ["fail-500", "fail-503", "fail-502", "reset", "garbage"])
def test_three_in_a_row_pause_for_a_short_time_and_two_do_not(sandbox, settings, alice, name):
    settings.PORTAL_RETRY_DELAY = 30.0
    for count in (1, 2, 3):
        ask(sandbox, alice, {"name": name})
        assert get_key().state == ("PAUSED" if count == 3 else "ACTIVE")
    assert hold_seconds() == pytest.approx(60, abs=5)


@pytest.mark.parametrize("between", [None, {"name": "fail-422"}, {"name": "fail-400"}])
def test_a_response_that_makes_sense_breaks_the_row(sandbox, settings, alice, between):
    settings.PORTAL_RETRY_DELAY = 30.0
    for response in ({"name": "fail-503"}, {"name": "fail-500"}, between, {"name": "fail-503"}, {"name": "reset"}):
        ask(sandbox, alice, *([response] if response else []))
    assert state() == ("ACTIVE", "")
    ask(sandbox, alice, {"name": "fail-500"})
    assert state() == ("PAUSED", "500")


def refuse_in_a_row(sandbox, requesters: Sequence[models.User]) -> None:
    for requester in requesters:
        ask(sandbox, requester, {"status": 403})


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_refusal_that_is_not_documented_fails_three_requests_and_no_more(sandbox, settings, alice, bob, status):
    settings.PORTAL_RETRY_DELAY = 30.0
    calls = [*call_all(sandbox, alice, 3), *call_all(sandbox, bob, 3)]
    waiting = factories.submit(bob)

    ended = [finish(sandbox, call, {"status": status}) for call in calls]

    assert [(one.status, one.attempt_count) for one in ended] == [("FAILED", 1)] * 3 + [("QUEUED", 0)] * 3
    assert state() == ("PAUSED", "other")
    assert hold_seconds() == pytest.approx(60, abs=5)
    assert factories.claim_next() is None
    assert statuses(waiting) == ["QUEUED"]


@pytest.mark.parametrize(("who", "type"), [("bob", "python"), ("alice", "golang")])
def test_a_refusal_of_another_person_or_type_too_pauses_until_somebody_resumes(sandbox, alice, bob, olga, who, type):
    refuse_in_a_row(sandbox, [alice, alice, alice])
    end_pause()
    factories.submit({"alice": alice, "bob": bob}[who], type=type)
    sandbox.script({"status": 403})
    factories.send_once()
    assert (*state(), get_key().operator_only, get_key().paused_until) == ("PAUSED", "other", True, None)
    resume(olga)
    assert ask(sandbox, alice).status == "SUCCEEDED"
    assert state() == ("ACTIVE", "")


def test_a_refusal_of_one_person_and_type_alone_only_lengthens_the_pause(sandbox, settings, alice):
    settings.PORTAL_RETRY_DELAY = 30.0
    refuse_in_a_row(sandbox, [alice, alice, alice])
    lengths = [hold_seconds()]
    for _ in range(2):
        end_pause()
        ask(sandbox, alice, {"status": 403})
        lengths.append(hold_seconds())
    assert lengths == pytest.approx([60, 120, 240], abs=5)
    end_pause()
    ask(sandbox, alice)
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


def test_pauses_in_a_row_grow_up_to_five_minutes_and_a_success_begins_anew(sandbox, settings, alice):
    settings.PORTAL_RETRY_DELAY = 30.0
    for _ in range(3):
        ask(sandbox, alice, {"name": "fail-500"})
    lengths = [hold_seconds()]
    for _ in range(3):
        end_pause()
        ask(sandbox, alice, {"name": "fail-500"})  # the same failure in RESUMING: once is enough
        lengths.append(hold_seconds())
    assert lengths == pytest.approx([60, 120, 240, 300], abs=5)

    end_pause()
    assert ask(sandbox, alice).status == "SUCCEEDED"
    for _ in range(3):
        ask(sandbox, alice, {"name": "fail-500"})
    assert hold_seconds() == pytest.approx(60, abs=5)


def test_other_failures_in_a_row_pause_a_key_that_resumes_too(sandbox, settings, alice, olga):
    """Or a provider that breaks in another way would take the whole queue, one request after the other."""
    settings.PORTAL_RETRY_DELAY = 30.0
    ask(sandbox, alice, {"name": "fail-402"})
    resume(olga)
    for name in ("fail-500", "reset"):
        ask(sandbox, alice, {"name": name})
        assert state() == ("RESUMING", "402")

    ask(sandbox, alice, {"name": "fail-500"})

    assert state() == ("PAUSED", "500")
    assert hold_seconds() == pytest.approx(60, abs=5)


# --- Resuming cannot get stuck ---


def resume_with_one_in_flight(alice: models.User, operator: models.User) -> dispatch.Call:
    """A key that resumes from 402, one attempt in flight, another request waiting behind it."""
    factories.submit_and_settle(alice, workspace_uid="fail-402")
    resume(operator)
    factories.submit(alice)
    factories.submit(alice)
    call = factories.claim()
    assert factories.claim_next() is None, "a second attempt goes out while the first is in flight"
    return call


ENDS = [
    *(
        f"fail-{code}"
        for code in ("400", "401", "402", "418", "422", "429", "500", "500-made", "502", "503", "503-html")
    ),
    *("garbage", "reset", "reset-made", "truncate", "not-sent", "made"),
]


@pytest.mark.parametrize("name", ENDS)
def test_whatever_that_attempt_ends_in_the_key_can_still_be_opened(sandbox, alice, olga, name):
    call = resume_with_one_in_flight(alice, olga)
    if name == "not-sent":
        factories.record(call, dispatch.Result())
    else:
        finish(sandbox, call, None if name == "made" else {"name": name})

    is_for_good, is_timed = name in ("fail-401", "fail-402"), name == "fail-429"
    assert get_key().state == ("PAUSED" if is_for_good or is_timed else "ACTIVE" if name == "made" else "RESUMING")
    if is_for_good:
        resume(olga)
    elif is_timed:
        end_pause()
    assert factories.send_once().value is not None
    assert state() == ("ACTIVE", "")
    verbs = models.Event.objects.filter(verb__in=["pause", "resume", "activate"]).order_by("id")
    again = ["pause", "resume"] if is_for_good or is_timed else []
    assert list(verbs.values_list("verb", flat=True)) == ["pause", "resume", *again, "activate"]


@pytest.mark.parametrize("is_recovered", [True, False], ids=["recovered", "recover-is-late"])
def test_a_killed_worker_s_attempt_lets_the_next_try_after_its_deadline(sandbox, alice, olga, lease, is_recovered):
    call = resume_with_one_in_flight(alice, olga)
    factories.make_overdue(call)
    if is_recovered:
        factories.expire_overdue(lease=lease)

    assert state() == ("RESUMING", "402")
    assert factories.send_once().value is not None
    assert state() == ("ACTIVE", "")


def test_a_request_cancelled_while_the_key_resumes_lets_the_next_try(sandbox, alice, olga):
    factories.submit_and_settle(alice, workspace_uid="fail-402")
    resume(olga)
    submissions.cancel_request(actor=alice, portal_request=factories.submit(alice))
    assert factories.claim_next() is None
    assert ask(sandbox, alice).status == "SUCCEEDED"
    assert state() == ("ACTIVE", "")


def test_a_late_success_from_before_the_pause_leaves_it_as_it_is(sandbox, alice, olga, lease):
    first, second = call_all(sandbox, alice, 2)
    late = factories.send(first)
    finish(sandbox, second, {"name": "fail-402"})
    factories.make_overdue(first)
    factories.expire_overdue(lease=lease)

    factories.record(first, late)

    assert models.Request.objects.get(attempts=first.attempt_id).status == "SUCCEEDED"
    assert state() == ("PAUSED", "402")


def test_an_attempt_claimed_in_the_very_moment_the_pause_ended_is_the_one_in_flight(sandbox, alice, olga):
    """SQLite writes its own times in milliseconds, ours in microseconds, and compares both as text."""
    call = resume_with_one_in_flight(alice, olga)
    claimed_at = models.Attempt.objects.get(pk=call.attempt_id).claimed_at
    models.Key.objects.update(pause_ended_at=claimed_at)
    assert factories.claim_next() is None


def test_time_under_a_pause_adds_up(sandbox, alice, olga):
    for _ in range(2):
        ask(sandbox, alice, {"name": "fail-402"})
        models.Key.objects.update(paused_at=F("paused_at") - timedelta(seconds=100))
        resume(olga)
        models.Key.objects.update(state="ACTIVE", cause="")
        models.Request.objects.filter(status="QUEUED").update(status="CANCELLED", ended_at=Now(), took=1)
    assert get_key().paused_seconds == pytest.approx(200, abs=10)
