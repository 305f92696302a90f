"""What can be proven with the database's clock though it may step."""

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from math import inf

from django.db import transaction

from portal import agentstation, models
from portal.db import clock
from portal.models.event import Verb
from portal.services import audit

_STEP = 2.0  # seconds beyond what an observation cannot measure: more than a network and a clock that is being adjusted
SLACK = timedelta(seconds=_STEP)  # what is further in the future was written before the clock stepped back


class SteadyClock:
    """The database's clock as one job of one process watches it: how much time has certainly passed.

    Each observation reads CLOCK_BOOTTIME before and after the database's time, which bounds how far one is ahead of the
    other. A jump out of these bounds is a step of the database's clock: an event, and all that had to pass begins anew.
    It begins anew with another fencing token too, for nobody has watched the clock while another held the lease, and
    with an attempt that was claimed in the future, by a clock that was ahead between two observations.
    """

    def __init__(self, *, boottime: Callable[[], float] = agentstation.boottime) -> None:
        self._boottime = boottime
        self._token: int | None = None
        self._least_ahead, self._most_ahead = -inf, inf
        self._steady_since = self._observed_at = self._read_at = 0.0
        self._now: datetime | None = None
        self.passed = 0.0  # seconds since the observation before, at least, by both clocks
        self.step = 0.0  # seconds by which the clock has stepped, until they are forgotten
        self.interval = 0.0  # seconds in which that was, at most
        self._ahead: set[int] = set()  # attempts that were claimed in the future

    def observe(self, *, token: int) -> datetime:
        """The time by the database. Called at the beginning of each round of the job, outside of a transaction."""
        before = self._boottime()
        now = clock.read_clock()
        after = self._boottime()
        step = self._compare(least=now.timestamp() - after, most=now.timestamp() - before)
        ahead = set(models.Attempt.objects.filter(claimed_at__gt=now + SLACK).values_list("pk", flat=True))
        if not self.step or token != self._token:
            self.step = self.interval = 0.0
        self.step += step if token == self._token else 0.0
        self.interval += after - self._observed_at
        self.passed = 0.0
        if self._now and token == self._token:
            self.passed = max(0.0, min(before - self._read_at, (now - self._now).total_seconds()))
        if step or token != self._token or ahead - self._ahead:
            self._steady_since = after
        self._ahead = ahead
        self._observed_at, self._read_at, self._now, self._token = before, after, now, token
        if step:
            with transaction.atomic():
                audit.record(Verb.CLOCK_STEP, "the database's clock", detail={"seconds": round(step, 3)})
        return now

    def forget_step(self) -> None:
        """It was added to what it concerns. Until then it is kept, as that may fail."""
        self.step = 0.0

    @property
    def steady_seconds(self) -> float:
        """For how long this job had seen no step at the last observation."""
        # From the reading after the first observation to that before the last: never more than has passed.
        return max(0.0, self._observed_at - self._steady_since)

    def _compare(self, *, least: float, most: float) -> float:
        """By how much the clock has stepped. Narrows the bounds, or follows a slow drift."""
        gap = max(0.0, least - self._most_ahead) - max(0.0, self._least_ahead - most)
        if gap == 0.0:
            least, most = max(least, self._least_ahead), min(most, self._most_ahead)
        self._least_ahead, self._most_ahead = least, most
        return gap if abs(gap) > _STEP else 0.0


class Countdown:
    """Counts what was left of something when this process first saw it, on CLOCK_BOOTTIME, which never steps."""

    def __init__(self) -> None:
        self._seen: tuple[Hashable, float] = (None, inf)

    def is_over(self, *, what: Hashable, left: float) -> bool:
        """Whether its time has come; `left` in seconds, which counts only the first time that `what` is asked about."""
        boottime = agentstation.boottime()
        if self._seen[0] != what:
            self._seen = (what, boottime + left)
        return boottime >= self._seen[1]
