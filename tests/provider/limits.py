"""The account's rate limits: so many calls in so many seconds, then 429 until the oldest of them is as long ago."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from portal.sandbox.responses import Response, reply_error
from tests.provider.wishes import MOST_SECONDS, is_count, is_number, require

KEYS = frozenset({"on", "calls", "seconds", "retry_after"})
# How the refusal says how long to wait: not at all, in seconds, or as a date.
WAYS = ("", "seconds", "date")


@dataclass(kw_only=True)
class Limit:
    """A limit for the calls of one operation, or of all together, with the times of those that it let through."""

    on: str
    calls: int
    seconds: float
    retry_after: str
    passed: deque[float] = field(default_factory=deque)

    def find_wait(self, now: float) -> float:
        while self.passed and self.passed[0] <= now - self.seconds:
            self.passed.popleft()
        if len(self.passed) < self.calls:
            return 0.0
        return self.passed[0] + self.seconds - now if self.passed else self.seconds

    def refuse(self, *, wait: float, told_time: float) -> Response:
        """The refusal of a call that came at `told_time` by the provider's own clock."""
        headers = {
            "": {},
            "seconds": {"Retry_After": str(math.ceil(wait))},
            "date": {"Retry_After": formatdate(math.ceil(told_time + wait), usegmt=True)},
        }[self.retry_after]
        return Response(reply=reply_error(429, **headers), carried_out=False)


def read_limit(wish: Any, *, operations: Iterable[str]) -> Limit:
    """A limit as faults give it; raises ScriptError."""
    require(isinstance(wish, dict) and wish.keys() <= KEYS, f"a rate limit may have {', '.join(sorted(KEYS))}")
    on, calls, seconds = wish.get("on", "*"), wish.get("calls"), wish.get("seconds", 60)
    require(on in operations, f"on must be one of {', '.join(operations)}")
    require(is_count(calls), "calls must be a whole number")
    require(is_number(seconds) and 0 < seconds <= MOST_SECONDS, f"seconds must be more than 0, up to {MOST_SECONDS}")
    way = wish.get("retry_after", "")
    require(way in WAYS, "retry_after must be seconds, date, or left out")
    return Limit(on=on, calls=calls, seconds=float(seconds), retry_after=way)
