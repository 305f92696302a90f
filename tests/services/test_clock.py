"""What is proven with a clock that may step: on the database's own clock, moved for this connection."""

import pytest

from portal import agentstation, models
from portal.services.key import steady_clock

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600.0


@pytest.fixture
def steady() -> steady_clock.SteadyClock:
    """A clock whose BOOTTIME runs ahead, 1.5 s with each reading: as if time passed slowly enough to be no step."""
    passed = iter(range(10_000))
    return steady_clock.SteadyClock(boottime=lambda: agentstation.boottime() + 0.75 * next(passed))


def observe(watched: steady_clock.SteadyClock, *, times: int = 1, token: int = 1) -> None:
    for _ in range(times):
        watched.observe(token=token)


def list_steps() -> list[float]:
    return [event.detail["seconds"] for event in models.Event.objects.filter(verb="clock-step").order_by("id")]


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 3.0, -3.0, 400 * 24 * HOUR])
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
