"""The habits of a run: which it has, and what faults they make."""

import argparse
import random
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.chaos import faults, habits
from tests.provider.faults import Faults


def read(*words: str) -> frozenset[str]:
    parser = argparse.ArgumentParser()
    habits.add_options(parser)
    return habits.read_habits(less=parser.parse_args(words).without)


def test_a_run_has_all_habits_but_those_that_are_taken_from_it():
    assert read() == frozenset(habits.NAMES)
    assert read("--without", "lag", "--without", "copy") == frozenset(habits.NAMES) - {"lag", "copy"}
    assert read("--without", "all") == frozenset()
    with pytest.raises(SystemExit):
        read("--without", "luck")


@pytest.mark.parametrize("name", habits.FAULTS)
def test_the_sandbox_takes_all_faults_of_a_habit(name):
    chance = random.Random(1)
    drawn = [habits.draw_faults(chance, habits=frozenset({name})) for _ in range(100)]

    for wish in drawn:
        Faults().change(wish)
    assert len({repr(wish) for wish in drawn}) > 1


def test_habits_come_on_top_of_the_usual_faults():
    usual = faults.draw_faults(random.Random(1), clock_off=60, enabled=frozenset())
    odd = faults.draw_faults(random.Random(1), clock_off=60, enabled=frozenset({"odd-ids", "omissions"}))

    Faults().change(odd)
    assert odd.keys() - usual.keys() == {"lists_empty", "omit_share"}
    assert len(odd["mix"]) == len(usual["mix"]) + 2
    assert usual["clock_off"] == 60


@pytest.mark.parametrize("clock_off", [3600, -3600, 0])
def test_a_date_to_come_back_at_is_by_the_providers_own_clock(clock_off):
    mix = faults.draw_faults(random.Random(1), clock_off=clock_off, enabled=frozenset())["mix"]

    (date,) = [told for part in mix if len(told := part.get("headers", {}).get("Retry-After", "")) > 5]
    told = parsedate_to_datetime(date).timestamp()
    assert abs(told - clock_off - time.time()) < 60
