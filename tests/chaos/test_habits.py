"""The provider takes the faults that a run draws: the usual ones, and those of each habit."""

import random

import pytest

from tests.chaos import faults, habits
from tests.provider.faults import Faults


@pytest.mark.parametrize("name", habits.FAULTS)
def test_the_sandbox_takes_all_faults_of_a_habit(name):
    chance = random.Random(1)
    drawn = [faults.draw_faults(chance, clock_off=60, enabled=frozenset({name})) for _ in range(20)]
    for wish in drawn:
        Faults().change(wish)
    assert len({repr(habits.draw_faults(chance, habits=frozenset({name}))) for _ in range(100)}) > 1
