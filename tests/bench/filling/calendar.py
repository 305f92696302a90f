"""When people ask: a team that grows, works from Monday to Friday, and has a quiet end of the year."""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

_WEEK = (1.0, 1.1, 1.1, 1.05, 0.85, 0.12, 0.08)  # Monday first
_HOURS = (2, 1, 1, 1, 2, 4, 9, 22, 48, 70, 76, 66, 44, 58, 72, 70, 58, 40, 24, 16, 12, 9, 6, 3)
_GROWTH = 1.5  # times as many requests at the end as at the start


class Calendar:
    """Lays a number of requests over so many days, the last of which is `until`. All times are UTC."""

    def __init__(self, *, until: date, days: int) -> None:
        first = until - timedelta(days=days - 1)
        weights = [_weigh(first + timedelta(days=day), day / days) * hour for day in range(days) for hour in _HOURS]
        self._sums = list(accumulate(weights, initial=0.0))  # before each hour
        self.begin = datetime.combine(first, time.min, UTC).timestamp()

    def find_moment(self, share: float) -> float:
        """When this share (from 0 to 1) of all requests have been made, in seconds since 1970."""
        weight = share * self._sums[-1]
        hour = bisect_right(self._sums, weight, hi=len(self._sums) - 1) - 1
        within = (weight - self._sums[hour]) / (self._sums[hour + 1] - self._sums[hour])
        return self.begin + (hour + within) * 3600.0


def _weigh(day: date, age: float) -> float:
    quiet = 0.2 if (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2) else 1.0
    return _WEEK[day.weekday()] * quiet * (1 + (_GROWTH - 1) * age)
