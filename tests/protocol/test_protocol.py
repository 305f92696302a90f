"""The protocol, explored whole in small worlds. docs/protocol.md says what is assumed, and prints what is found."""

from functools import partial

import pytest

from tests.protocol import lives, requests
from tests.protocol.explore import Explored, Machine, explore


def explore_requests(world: requests.World, *, most: int = 1_000_000) -> Explored:
    machine = Machine(
        first=requests.begin(world),
        list_steps=partial(requests.list_steps, world=world),
        find_violation=lambda _, after: requests.find_violation(after),
        normalize=requests.normalize,
        is_over=requests.is_over,
        is_asked=requests.is_asked,
    )
    return explore(machine, most=most)


def explore_lives(world: lives.World) -> Explored:
    machine = Machine(
        first=lives.State(),
        list_steps=partial(lives.list_steps, world=world),
        find_violation=lives.find_violation,
        normalize=lambda state: state,
        is_over=lives.is_over,
        is_asked=lives.is_asked,
    )
    return explore(machine)


ONE = requests.World(sends=2, older=True)
STRANGER = requests.World(older=True, strangers=1, refusals=False)
STEPS = requests.World(older=True, clock_steps=True, refusals=False, wishes=False)
TWO = requests.World(types=("python", "python"), words=0, refusals=False, wishes=False)


@pytest.mark.parametrize("world", [ONE, STRANGER, STEPS, TWO], ids=["one", "stranger", "steps", "two alike"])
def test_nothing_is_lost_doubled_or_given_away(world):
    explored = explore_requests(world)
    assert not explored.violation, "\n".join(explored.path)


def test_nothing_ends_that_nobody_wished_to_end():
    explored = explore_lives(lives.World())
    assert not explored.violation, "\n".join(explored.path)
