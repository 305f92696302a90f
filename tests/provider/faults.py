"""The faults: what goes wrong by chance, call by call, and the provider's habits, until they change.

A script says what the next calls meet; faults are for long rehearsals, where nobody can say which call is next.
"""

import random
import threading
from collections.abc import Sequence
from typing import Any

from portal.sandbox.responses import Response
from tests.provider import habits, limits, script
from tests.provider.wishes import is_number, require

KEYS = frozenset({"seed", "mix", "rate_limits"}) | habits.KEYS


def _read_chance(answer: Any) -> tuple[script.Line, float]:
    sound = isinstance(answer, dict) and "times" not in answer
    require(sound, "each part of the mix must be an answer with a share, and without times")
    share = answer.get("share")
    require(is_number(share) and 0 <= share <= 1, "share must be from 0 to 1")
    return script.read_line({key: value for key, value in answer.items() if key != "share"}), share


class Faults:
    """Fair at first: every call is answered, and the lists tell the truth."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.change({})

    def change(self, wish: Any) -> None:
        """Other faults from now on; the old ones go on if these make no sense."""
        sound = isinstance(wish, dict) and wish.keys() <= KEYS
        require(sound, f"faults may have {', '.join(sorted(KEYS))}")
        mix, rates, seed = wish.get("mix", []), wish.get("rate_limits", []), wish.get("seed", 0)
        sound = isinstance(mix, list) and isinstance(rates, list) and isinstance(seed, int)
        require(sound, "mix and rate_limits must be lists, and seed a whole number")
        chances, found = [_read_chance(answer) for answer in mix], habits.read_habits(wish)
        limited = [limits.read_limit(limit, operations=script.OPERATIONS) for limit in rates]
        with self._lock:
            self._chances, self._limits, self.habits = chances, limited, found
            self._random = random.Random(seed)

    def choose(self, operation: str) -> Response | None:
        with self._lock:
            point = self._random.random()
            for line, share in self._chances:
                if line.on not in (operation, "*"):
                    continue
                if point < share:
                    return line.response
                point -= share
        return None

    def limit(self, operation: str, *, now: float) -> Response | None:
        """The refusal of a call that exceeds a rate limit; None where it is let through, and then it counts."""
        with self._lock:
            fitting = [limit for limit in self._limits if limit.on in (operation, "*")]
            for limit in fitting:
                if wait := limit.find_wait(now):
                    return limit.refuse(wait=wait, told_time=now + self.habits.clock_off)
            for limit in fitting:
                limit.passed.append(now)
        return None

    def draw(self, share: float) -> bool:
        if not share:
            return False
        with self._lock:
            return self._random.random() < share

    def pick(self, choices: Sequence[str]) -> str:
        with self._lock:
            return self._random.choice(choices)
