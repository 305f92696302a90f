"""The weather: what goes wrong by chance, call by call, and how the lists lie, until the weather changes.

A script says what the next calls meet; the weather is for long rehearsals, where nobody can say which call is next.
"""

import random
import threading
from dataclasses import dataclass
from typing import Any

from portal.sandbox import script
from portal.sandbox.endings import Ending
from portal.sandbox.script import ScriptError

KEYS = frozenset({"seed", "mix", "clock_off", "shows_after", "pages_shift"})
MOST_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class Lists:
    """How the lists lie: times by a clock that is off, new workstations missing for a while, pages counted by place.

    Pages counted by place shift when a workstation comes or ends between two of them: one shows twice, or never.
    """

    clock_off: float = 0.0
    shows_after: float = 0.0
    pages_shift: bool = False


@dataclass(frozen=True, kw_only=True)
class _Chance:
    on: str
    ending: Ending
    share: float


def _read_chance(answer: Any) -> _Chance:
    if not isinstance(answer, dict) or "times" in answer:
        raise ScriptError("each part of the mix must be an answer with a share, and without times")
    share = answer.get("share")
    if not script.is_number(share) or not 0 <= share <= 1:
        raise ScriptError("share must be from 0 to 1")
    line = script.read_line({key: value for key, value in answer.items() if key != "share"})
    return _Chance(on=line.on, ending=line.ending, share=share)


def _read_lists(wish: dict[str, Any]) -> Lists:
    clock_off, shows_after = wish.get("clock_off", 0), wish.get("shows_after", 0)
    if not script.is_number(clock_off) or not abs(clock_off) <= MOST_SECONDS:
        raise ScriptError(f"clock_off must be from -{MOST_SECONDS} to {MOST_SECONDS} seconds")
    if not script.is_number(shows_after) or not 0 <= shows_after <= MOST_SECONDS:
        raise ScriptError(f"shows_after must be from 0 to {MOST_SECONDS} seconds")
    pages_shift = wish.get("pages_shift", False)
    if not isinstance(pages_shift, bool):
        raise ScriptError("pages_shift must be true or false")
    return Lists(clock_off=float(clock_off), shows_after=float(shows_after), pages_shift=pages_shift)


class Weather:
    """Fair at first: every call is answered, and the lists tell the truth."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Fair again."""
        self.change({})

    def change(self, wish: Any) -> None:
        """Another weather from now on; the old one goes on if this one makes no sense."""
        if not isinstance(wish, dict) or not wish.keys() <= KEYS:
            raise ScriptError(f"a weather may have {', '.join(sorted(KEYS))}")
        mix, seed = wish.get("mix", []), wish.get("seed", 0)
        if not isinstance(mix, list) or not isinstance(seed, int):
            raise ScriptError("mix must be a list and seed a whole number")
        chances, lists = [_read_chance(answer) for answer in mix], _read_lists(wish)
        with self._lock:
            self._chances, self._random, self.lists = chances, random.Random(seed), lists  # noqa: S311 - no secret

    def choose(self, operation: str) -> Ending | None:
        """What a call of this operation meets; None where it is left alone."""
        with self._lock:
            point = self._random.random()
            for chance in self._chances:
                if chance.on not in (operation, "*"):
                    continue
                if point < chance.share:
                    return chance.ending
                point -= chance.share
        return None
