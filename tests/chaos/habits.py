"""What a run may have or go without: habits of the provider, of the clocks, and of whoever copies the database."""

import argparse
import random
from collections.abc import Callable, Sequence
from typing import Any

type Faults = dict[str, Any]

# One and a half times the grace for settling.
LONG_LAG = 4.5


def _draw_strangers(chance: random.Random) -> Faults:
    return {"strangers": chance.choice((0.0, 0.01, 0.05))}


def _draw_lag(chance: random.Random) -> Faults:
    lags = ("shows_after", "reads_after", "history_shows_after", "shows_ended_for")
    return {lag: chance.choice((0.0, 0.0, 1.0, LONG_LAG)) for lag in lags}


def _draw_omissions(chance: random.Random) -> Faults:
    return {"lists_empty": chance.random() < 0.05, "omit_share": chance.choice((0.0, 0.0, 0.02, 0.3))}


def _draw_missing_workspaces(chance: random.Random) -> Faults:
    return {f"{where}_without_workspace": chance.choice((0.0, 0.1)) for where in ("posts", "reads", "lists")}


def _draw_rate_limit(chance: random.Random) -> Faults:
    limit = {"calls": chance.choice((30, 100)), "seconds": 3, "retry_after": chance.choice(("", "seconds", "date"))}
    return {"rate_limits": [limit] if chance.random() < 0.3 else []}


def _draw_clock_of_provider(chance: random.Random) -> Faults:
    return {"clock_off": chance.choice((0, 0, 3600, -3600))}


def _draw_pages(chance: random.Random) -> Faults:
    more = {"more_files": 60, "name_length": 800} if chance.random() < 0.1 else {}
    return {"endless": chance.random() < 0.1, **more}


def _draw_odd_ids(chance: random.Random) -> Faults:
    share = chance.choice((0.0, 0.0, 0.01))
    return {"mix": [{"share": share / 2, "uid": uid} for uid in ("*" * 25, "*\0*")]}


# Each draws its part of faults from chance.
FAULTS: dict[str, Callable[[random.Random], Faults]] = {
    "strangers": _draw_strangers,
    "lag": _draw_lag,
    "omissions": _draw_omissions,
    "no-workspace": _draw_missing_workspaces,
    "rate-limit": _draw_rate_limit,
    "provider-clock": _draw_clock_of_provider,
    "pages": _draw_pages,
    "odd-ids": _draw_odd_ids,
}
CLOCK_STEPS, COPY, STRANGERS = "clock-steps", "copy", "strangers"
NAMES = (*FAULTS, CLOCK_STEPS, COPY)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let the command line say which habits there are."""
    parser.add_argument("--without", action="append", default=[], choices=(*NAMES, "all"), help="a habit less")


def read_habits(*, less: Sequence[str]) -> frozenset[str]:
    """The habits that the command line leaves."""
    return frozenset() if "all" in less else frozenset(NAMES).difference(less)


def draw_faults(chance: random.Random, *, habits: frozenset[str]) -> Faults:
    """The habits' part of the next ones; what they mix in is under `mix`."""
    faults: Faults = {"mix": []}
    for name, draw in FAULTS.items():
        if name in habits:
            part = draw(chance)
            faults["mix"] += part.pop("mix", [])
            faults |= part
    return faults
