"""What a run may have or go without: habits of the provider, of clocks and machines, and of whoever runs the portal."""

import argparse
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.provider import script

type Faults = dict[str, Any]

# One and a half times the grace for settling.
LONG_LAG = 4.5
LAGS = ("shows_after", "reads_after", "history_shows_after", "shows_ended_for")
# Refusals that the provider does not document.
UNDOCUMENTED = (403, 404, 405)
FORMER_KEY = "former"


def _draw_strangers(chance: random.Random) -> Faults:
    # An orphan made on purpose: a refusal in the provider's own words, which nobody could doubt, and yet.
    share = chance.choice((0.0, 0.01, 0.05))
    return {"strangers": share, "mix": [{"share": share / 10, "status": 422, "made": True}]}


def _draw_odd_cursors(chance: random.Random) -> Faults:
    share = chance.choice((0.0, 0.0, 0.3))
    page: Faults = {"object": "list", "data": [], "previous_cursor": None}
    return {
        "mix": [
            {"on": on, "share": share / 2, "status": 200, "body": page | {"next_cursor": cursor}}
            for on in script.LISTS
            for cursor in ("\ud800", "a\0b")
        ]
    }


def _draw_rate_limit(chance: random.Random) -> Faults:
    limit = {"calls": chance.choice((30, 100)), "seconds": 3, "retry_after": chance.choice(("", "seconds", "date"))}
    return {"rate_limits": [limit] if chance.random() < 0.3 else []}


def _draw_odd_ids(chance: random.Random) -> Faults:
    share = chance.choice((0.0, 0.0, 0.01))
    return {"mix": [{"share": share / 2, "uid": uid} for uid in ("*" * 25, "*\0*")]}


# Each draws its part of faults from chance.
FAULTS: dict[str, Callable[[random.Random], Faults]] = {
    "strangers": _draw_strangers,
    "lag": lambda chance: {lag: chance.choice((0.0, 0.0, 1.0, LONG_LAG)) for lag in LAGS},
    "omissions": lambda chance: {
        "lists_empty": chance.random() < 0.05,
        "omit_share": chance.choice((0.0, 0.0, 0.02, 0.3)),
    },
    "no-workspace": lambda chance: {
        f"{where}_without_workspace": chance.choice((0.0, 0.1)) for where in ("posts", "reads", "lists")
    },
    "rate-limit": _draw_rate_limit,
    # Seldom: what was called before a step is a question to people, and so is all of it where there are many.
    "provider-clock": lambda chance: {"clock_off": chance.choice((*[0] * 8, 3600, -3600))},
    "pages": lambda chance: {
        "endless": chance.random() < 0.1,
        **({"more_files": 60, "name_length": 800} if chance.random() < 0.1 else {}),
    },
    "odd-ids": _draw_odd_ids,
    "undocumented": lambda chance: {
        "mix": [{"share": chance.choice((*[0.0] * 5, 0.95)), "status": chance.choice(UNDOCUMENTED)}]
    },
    "odd-cursors": _draw_odd_cursors,
    "former-key": lambda chance: {"more_keys": chance.choice(([FORMER_KEY], [FORMER_KEY], []))},
}
CLOCK_STEPS, COPY, STRANGERS, KEYS = "clock-steps", "copy", "strangers", "former-key"
# The provider gives ids of released workstations once more; workers restart all the time, while nothing else is wrong;
# they are killed while they call; commits take longer than the send margin, which PostgreSQL alone can be made to do.
REUSED_IDS, RESTARTS, KILLED_CALLS, SLOW_COMMITS = "reused-ids", "restarts", "killed-calls", "slow-commits"
# Workstations that end by themselves; a member who may have only a few at once.
ENDS, LIMITS = "ends", "limits"
# Each is a scene: something is listed between the claims of two lost answers; strangers come after a lost answer was
# explained; the database goes back after an end was put off.
LISTED_BETWEEN, MANY_STRANGERS, DATABASE_BACK = "listed-between", "many-strangers", "database-back"
SCENES = (LISTED_BETWEEN, MANY_STRANGERS, DATABASE_BACK)
NAMES = (*FAULTS, CLOCK_STEPS, COPY, REUSED_IDS, RESTARTS, KILLED_CALLS, SLOW_COMMITS, ENDS, LIMITS, *SCENES)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--without", action="append", default=[], choices=(*NAMES, "all"), help="a habit less")
    parser.add_argument("--only", action="append", default=[], choices=NAMES, help="this habit, and no other")


def read_habits(*, less: Sequence[str], only: Sequence[str] = ()) -> frozenset[str]:
    return frozenset() if "all" in less else frozenset(only or NAMES).difference(less)


def draw_faults(chance: random.Random, *, habits: frozenset[str]) -> Faults:
    """The habits' part of the next ones; what they mix in is under `mix`."""
    faults: Faults = {"mix": []}
    for name, draw in FAULTS.items():
        if name in habits:
            part = draw(chance)
            faults["mix"] += part.pop("mix", [])
            faults |= part
    return faults
