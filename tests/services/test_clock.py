"""What the portal does when the database's clock steps: no dead key goes on, no pause ends early or an hour late, and
nobody's request is given up."""

import threading
from datetime import timedelta

import pytest

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, steady_clock
from portal.services.mirrors import releases
from portal.services.reconciliation import timeouts
from portal.services.requests import dispatch
from portal.services.runtime import leases
from tests import factories
from tests.services.reconciling import statuses

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600.0
YEAR = 400 * 24 * HOUR


@pytest.fixture
def steady() -> steady_clock.SteadyClock:
    """A clock whose BOOTTIME runs ahead, 1.5 s with each reading: as if time passed slowly enough to be no step."""
    passed = iter(range(10_000))
    return steady_clock.SteadyClock(boottime=lambda: agentstation.boottime() + 0.75 * next(passed))


@pytest.fixture
def watched(steady) -> steady_clock.SteadyClock:
    """As if the job had seen a steady clock for a while."""
    observe(steady, times=9)
    return steady


def read_state() -> tuple[str, str]:
    key = accounts.get_current_account().key
    return key.state, key.cause


def refuse(sandbox, requester: models.User, **response: object) -> None:
    sandbox.script(response)
    factories.submit_and_send(requester)
    models.Request.objects.update(next_attempt_at=None)  # what is put off is the pause's end, not the request's


def await_claim() -> dispatch.Call:
    pause = threading.Event()
    for _ in range(1000):
        if (call := factories.claim_next()) is not None:
            return call
        pause.wait(0.01)
    raise AssertionError("the pause does not end")


def test_a_timed_pause_does_not_end_early(sandbox, database_clock, alice):
    refuse(sandbox, alice, status=429, headers={"Retry-After": "3600"})
    assert factories.claim_next() is None
    database_clock.step(seconds=YEAR)
    assert factories.claim_next() is None
    assert read_state() == ("PAUSED", "429")


@pytest.mark.parametrize("is_seen_before", [True, False])
def test_a_timed_pause_does_not_last_an_hour_longer(sandbox, database_clock, alice, is_seen_before):
    refuse(sandbox, alice, status=429, headers={"Retry-After": "1"})
    if is_seen_before:
        assert factories.claim_next() is None
    database_clock.step(seconds=-HOUR)
    await_claim()
    assert read_state() == ("RESUMING", "429")


@pytest.mark.parametrize("seconds", [YEAR, -YEAR])
def test_nobody_is_given_up_where_the_job_is_taken_as_the_clock_steps(database_clock, alice, lease, watched, seconds):
    waiting, of_another = factories.submit(alice), steady_clock.SteadyClock()
    for step in (seconds, -seconds):
        database_clock.step(seconds=step)
        taken = leases.acquire_lease(name=lease.name, holder=f"another {step}", seconds=60)
        assert taken is not None
        taken.run(timeouts.expire_overdue, watched=of_another)
        lease.run(timeouts.expire_overdue, watched=watched)
        taken.run(timeouts.expire_overdue, watched=of_another)
        lease, watched, of_another = taken, of_another, steady_clock.SteadyClock()
        assert statuses(waiting) == ["QUEUED"]


def test_who_waited_too_long_is_given_up_by_a_worker_that_has_just_started_too(alice, lease, sandbox):
    waiting, watched = factories.submit(alice), steady_clock.SteadyClock()
    models.Request.objects.update(queued_at=Now() - timedelta(days=2))
    # In its second round: before, the worker that had the job may still tell of a step of the clock.
    assert [lease.run(timeouts.expire_overdue, watched=watched) for _ in range(2)] == [0, 1]
    assert (statuses(waiting), waiting.failure) == (["FAILED"], "waited-too-long")


def test_a_call_claimed_before_a_step_back_ends_in_its_time(sandbox, database_clock, settings, alice, lease, watched):
    settings.PORTAL_SEND_MARGIN = settings.AGENTSTATION_TOTAL_TIMEOUT = settings.PORTAL_RECORD_MARGIN = 1
    portal_request = factories.submit(alice)
    database_clock.step(seconds=YEAR)
    factories.claim()
    database_clock.step(seconds=-YEAR)

    assert lease.run(timeouts.expire_overdue, watched=watched) == 0, "it may still be under way"
    for _ in range(9):  # each observation takes half a second at least
        lease.run(timeouts.expire_overdue, watched=watched)

    assert (statuses(portal_request), portal_request.failure) == (["UNKNOWN"], "no-answer")


@pytest.mark.parametrize("seconds", [HOUR / 2, YEAR])
def test_a_request_put_off_before_a_step_back_goes_on(sandbox, database_clock, alice, lease, watched, seconds):
    sandbox.script({"status": 503})
    portal_request = factories.submit(alice)
    database_clock.step(seconds=seconds)
    factories.send_once()
    portal_request.refresh_from_db()
    assert portal_request.next_attempt_at is not None
    database_clock.step(seconds=-seconds)

    lease.run(timeouts.expire_overdue, watched=watched)

    assert models.Request.objects.filter(pk=portal_request.pk, next_attempt_at__lte=Now()).exists()


@pytest.mark.parametrize(("seconds", "is_due"), [(1, False), (600, True)])
def test_what_was_never_sent_is_not_put_off_for_long(sandbox, alice, lease, watched, seconds, is_due):
    factories.submit(alice)
    models.Request.objects.update(next_attempt_at=Now() + timedelta(seconds=seconds))

    lease.run(timeouts.expire_overdue, watched=watched)

    assert models.Request.objects.filter(next_attempt_at__lte=Now()).exists() is is_due


def test_releases_and_reads_put_off_before_a_step_back_go_on(sandbox, database_clock, alice, lease, watched):
    workstation = factories.create_workstation(alice)
    database_clock.step(seconds=YEAR)
    releases.request_release(actor=alice, workstation=workstation)
    assert releases.claim_release() is not None
    models.Workstation.objects.update(refresh_due_at=Now())
    database_clock.step(seconds=-YEAR)
    assert releases.claim_release() is None

    lease.run(timeouts.expire_overdue, watched=watched)

    assert models.Workstation.objects.filter(refresh_due_at__lte=Now()).exists()
    assert releases.claim_release() is not None


def test_time_under_a_pause_is_never_less_than_none(sandbox, database_clock, alice, olga):
    refuse(sandbox, alice, name="fail-402")
    database_clock.step(seconds=-HOUR)
    circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())
    assert accounts.get_current_account().key.paused_seconds == 0.0


# --- How a step is told, and what is proven with a clock that may step ---


def observe(watched: steady_clock.SteadyClock, *, times: int = 1, token: int = 1) -> None:
    for _ in range(times):
        watched.observe(token=token)


def list_steps() -> list[float]:
    return [event.detail["seconds"] for event in factories.list_events("clock-step").order_by("id")]


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 3.0, -3.0, YEAR])
def test_a_step_is_told_once_with_its_length_and_begins_the_wait_anew(database_clock, seconds):
    watched = steady_clock.SteadyClock()
    observe(watched, times=3)
    assert watched.steady_seconds > 0

    database_clock.step(seconds=seconds)
    observe(watched)

    assert list_steps() == [pytest.approx(seconds, abs=0.9)]
    assert watched.steady_seconds == 0.0
    observe(watched)
    assert len(list_steps()) == 1


def test_what_is_within_the_tolerance_is_no_step(database_clock):
    watched = steady_clock.SteadyClock()
    for _ in range(4):
        observe(watched)
        database_clock.step(seconds=1.5)
    assert list_steps() == []


def test_a_slow_answer_hides_no_step_from_the_next_observation(database_clock):
    """The bounds stay as narrow as the best observation has made them."""
    passed = iter([0.0, 0.0, 0.0])
    watched = steady_clock.SteadyClock(boottime=lambda: agentstation.boottime() + next(passed, 60.0))
    observe(watched)
    database_clock.step(seconds=30.0)
    observe(watched)  # a minute passes after the database has read its clock
    assert list_steps() == []
    database_clock.step(seconds=60.0)
    observe(watched)
    assert list_steps() == [pytest.approx(30.0, abs=0.9)]


def test_no_more_time_has_passed_than_both_clocks_say(sandbox, steady):
    observe(steady)
    assert steady.steady_seconds == 0.0
    observe(steady, times=20)
    assert steady.steady_seconds == pytest.approx(29.25, abs=5)
    assert list_steps() == []


def test_another_holder_in_between_begins_the_wait_anew(sandbox, steady):
    observe(steady, times=9)
    assert steady.steady_seconds > 9
    observe(steady, token=3)
    assert steady.steady_seconds == 0.0


def test_a_countdown_goes_by_what_was_left_at_first_sight_alone(sandbox):
    countdown = steady_clock.Countdown()
    assert not countdown.is_over(what="pause 1", left=60.0)
    assert not countdown.is_over(what="pause 1", left=-HOUR)
    assert countdown.is_over(what="pause 2", left=0.0)
    assert countdown.is_over(what="pause 2", left=HOUR)
