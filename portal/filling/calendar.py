"""When people ask: a team that grows, works from Monday to Friday, and has a quiet end of the year."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

_DAY = 86_400.0
_WEEK = (1.0, 1.1, 1.1, 1.05, 0.85, 0.12, 0.08)  # Monday first
_HOURS = (2, 1, 1, 1, 2, 4, 9, 22, 48, 70, 76, 66, 44, 58, 72, 70, 58, 40, 24, 16, 12, 9, 6, 3)
_GROWTH = 1.5  # times as many requests at the end as at the start


class Calendar:
    """Lays a number of requests over so many days, the last of which is `until`. All times are UTC."""

    def __init__(self, *, until: date, days: int) -> None:
        first = until - timedelta(days=days - 1)
        self._first = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
        self._days = _sum_up([_weigh(first + timedelta(days=number), number / days) for number in range(days)])
        self._hours = _sum_up(_HOURS)

    @property
    def begin(self) -> float:
        """The first moment, in seconds since 1970."""
        return self._first

    def find_moment(self, share: float) -> float:
        """When this share (from 0 to 1) of all requests have been made, in seconds since 1970."""
        day, within = _find(self._days, share)
        hour, rest = _find(self._hours, within)
        return self._first + day * _DAY + (hour + rest) * 3600.0


def _weigh(day: date, age: float) -> float:
    quiet = 0.2 if (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2) else 1.0
    return _WEEK[day.weekday()] * quiet * (1 + (_GROWTH - 1) * age)


def _sum_up(weights: Sequence[float]) -> list[float]:
    """Where each share begins, from 0 to 1."""
    total = sum(weights)
    return [0.0, *(sum_ / total for sum_ in accumulate(weights))]


def _find(begins: list[float], share: float) -> tuple[int, float]:
    """In which part the share lies, and how far within it."""
    part = min(bisect_right(begins, share), len(begins) - 1) - 1
    return part, (share - begins[part]) / (begins[part + 1] - begins[part])
