"""The clock of the portal's machines, which may be stepped while they run: clock.c tells it from a file."""

import math
import struct
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).parent / "clock.c"
# Between the moment when a step is noted and the moment when a process sees it.
SLACK = 0.1
DAY = 86_400


def build_library(folder: Path) -> Path:
    library = folder / "clock.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Clock:
    """A clock that is ahead of the real one by an offset, in seconds, that steps."""

    def __init__(self, *, folder: Path) -> None:
        self._folder, self._file = folder, folder / "clock"
        self._since, self._until, self._offsets = [-math.inf], list[float](), [0]
        self._write(0)

    def make_environment(self) -> dict[str, str]:
        """What lets a process live by this clock; CLOCK_MONOTONIC and CLOCK_BOOTTIME never step.

        Raises OSError where there is no C compiler, and RuntimeError where a process does not see a step.
        """
        environment = {"LD_PRELOAD": str(build_library(self._folder)), "CHAOS_CLOCK": str(self._file)}
        self._write(DAY)
        ask = [sys.executable, "-c", "import time; print(time.time())"]
        told = float(subprocess.run(ask, env=environment, check=True, capture_output=True).stdout)
        self._write(0)
        if abs(told - time.time() - DAY) > DAY / 2:
            raise RuntimeError("a process does not see the clock step")
        return environment

    def step(self, offset: int) -> None:
        self._since.append(time.time())
        self._offsets.append(offset)
        self._write(offset)
        self._until.append(time.time())  # on a busy machine some time later: meanwhile it told either

    def _write(self, offset: int) -> None:
        # In its place: the processes have mapped it.
        with self._file.open("r+b" if self._file.exists() else "xb") as file:
            file.write(struct.pack("q", offset))

    def locate(self, told: float, *, after: float = 0.0) -> float:
        """When it told this time: it may have told it more than once. `after`: when what is next to it was told, which
        may also have been a little later, for a statement may have waited.
        """
        until = [*self._until, math.inf]
        placed = [
            real
            for since, end, real in zip(self._since, until, (told - one for one in self._offsets), strict=True)
            if since - SLACK <= real <= end + SLACK
        ]
        return min(placed, key=lambda real: max(real - after, 3 * (after - real)), default=told - self._offsets[-1])
