"""Time that tests drive, by the database's clock and by CLOCK_BOOTTIME."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from portal import agentstation
from portal.services.key import steady_clock
from portal.services.lives import carrying_out
from tests import factories
from tests.dbclock import DatabaseClock


class Time:
    """`pass_by` moves both clocks; `step` the database's alone, as when somebody sets it."""

    def __init__(self, database: DatabaseClock) -> None:
        self._database, self._slept, self._steps = database, 0.0, list[float]()
        self._lease = factories.acquire_lease(name="ends", seconds=1e9)
        self.start_worker()

    def start_worker(self) -> None:
        """Another process watches the clock from now on."""
        self._watched = steady_clock.SteadyClock(boottime=self._read_boottime)

    def step(self, seconds: float) -> None:
        self._database.step(seconds=seconds)

    def step_in_next_round(self, seconds: float) -> None:
        """Directly after that has read the time."""
        self._steps = [0.0, seconds]

    def _read_boottime(self) -> float:
        """A round reads it before and after the database's time."""
        if self._steps:
            self.step(self._steps.pop(0))
        return agentstation.boottime() + self._slept

    def pass_by(self, seconds: float = 0, minutes: float = 0) -> None:
        """While a worker looks every minute, or ten times."""
        left = seconds + 60 * minutes
        pause = max(60.0, left / 10)
        while left > 0:
            self.sleep(min(left, pause))
            self.look()
            left -= pause

    def sleep(self, seconds: float = 0, hours: float = 0) -> None:
        """While no worker runs."""
        self._slept += seconds + 3600 * hours
        self._database.step(seconds=seconds + 3600 * hours)

    def look(self, *, meanwhile: Callable[[], None] = lambda: None) -> int:
        """`meanwhile`: what somebody does after the worker has seen what is due, before each change that it makes."""
        lease = replace(self._lease, before_renewal=meanwhile)
        return lease.run(carrying_out.carry_out_ends, watched=self._watched)


@pytest.fixture
def time(database_clock) -> Time:
    return Time(database_clock)
