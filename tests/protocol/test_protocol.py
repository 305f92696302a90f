"""The protocol, explored whole in small worlds. docs/protocol.md says what is assumed, and prints what is found."""

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.protocol import ids, lives, normal, requests
from tests.protocol.explore import Explored, Machine, explore


def explore_world(world: Any, *, most: int = 1_000_000) -> Explored:
    machine = sys.modules[type(world).__module__]
    steps = Machine(
        first=requests.begin(world) if machine is requests else machine.State(),
        list_steps=partial(machine.list_steps, world=world),
        find_violation=machine.find_violation,
        normalize=normal.normalize if machine is requests else lambda state: state,
        is_over=machine.is_over,
        is_asked=machine.is_asked,
    )
    return explore(steps, most=most)


ONE = requests.World(sends=2, older=True)
STRANGER = requests.World(older=True, strangers=1, refusals=False, wishes=False)
STEPS = requests.World(sends=2, words=0, older=True, clock_steps=True, pauses=True, refusals=False, wishes=False)
TWO = requests.World(types=("python", "python"), words=0, refusals=False, wishes=False)


LAPSES = requests.World(older=True, lapses=2, words=0, refusals=False, wishes=False)
AWAY = replace(STRANGER, strangers_at=(2 * requests.OLD, -2 * requests.OLD), strangers_are_known=False, words=0)
WORLDS = {"one": ONE, "stranger": STRANGER, "steps": STEPS, "two alike": TWO, "lapses": LAPSES, "away": AWAY}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_nothing_is_lost_doubled_or_given_away(world):
    explored = explore_world(world)
    assert not explored.violation, "\n".join(explored.path)


@pytest.mark.skipif("SLOW" not in os.environ, reason="a part of `make slow`")
def test_nothing_is_either_in_a_larger_world():
    """Ten million states of it, which need 9 GB and half an hour."""
    most = 10_000_000
    explored = explore_world(requests.World(types=("python", "python"), older=True, strangers=1), most=most)
    assert explored.violation in ("", f"more than {most} states"), "\n".join(explored.path)


def test_nothing_ends_that_nobody_wished_to_end():
    explored = explore_world(lives.World())
    assert not explored.violation, "\n".join(explored.path)


def test_another_that_gets_an_id_again_is_left_alone():
    explored = explore_world(ids.World())
    assert not explored.violation, "\n".join(explored.path)


def drop(world: Any, assumption: str) -> Explored:
    """What follows without it."""
    return explore_world(replace(world, **{assumption: False}))


@pytest.mark.parametrize(
    ("world", "assumption"),
    [
        (ONE, "lists_keep_to_the_grace"),
        (ONE, "calls_end_by_their_deadline"),
        (STRANGER, "strangers_are_known"),
        (STEPS, "steps_are_seen"),
        (lives.World(), "losses_are_seen"),
        (lives.World(), "memory_is_kept"),
        (ids.World(), "starts_differ"),
    ],
)
def test_what_is_assumed_is_needed_and_the_document_prints_why(world, assumption):
    explored = drop(world, assumption)
    assert explored.violation
    words = " ".join(Path("docs/protocol.md").read_text().split())
    assert f"`{assumption}`" in words
    assert f"Without: {'; '.join(explored.path)}." in words
