"""The clock of the portal's machines, which may be stepped while they run: libfaketime reads it from a file."""

import bisect
import math
import time
from pathlib import Path

# Between the moment when a step is noted and the moment when a process sees it.
SLACK = 0.1


def find_library() -> str:
    """libfaketime, for programs with threads."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise FileNotFoundError("libfaketime is not installed; on Debian: apt install libfaketime")
    return str(found[-1])


class Clock:
    """A clock that is ahead of the real one by an offset, in seconds, that steps."""

    def __init__(self, *, folder: Path) -> None:
        self._file = folder / "clock"
        self._since, self._offsets = [-math.inf], [0.0]
        self._file.write_text("+0\n")

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process live by this clock. CLOCK_MONOTONIC and CLOCK_BOOTTIME never step."""
        return {
            "LD_PRELOAD": find_library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Modules would seem changed, and be compiled anew, with each step.
            "NO_FAKE_STAT": "1",
            # Processes would share a lock, which one that is killed or frozen never gives back.
            "FAKETIME_DISABLE_SHM": "1",
        }

    def step(self, offset: float) -> None:
        """Be ahead by this offset from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset:+.0f}\n")
        new.replace(self._file)
        self._since.append(time.time())
        self._offsets.append(offset)

    def locate(self, told: float, *, after: float = -math.inf) -> float:
        """When it told this time, not before `after`: it may have told it more than once."""
        for number in range(max(0, bisect.bisect_right(self._since, after) - 1), len(self._since)):
            real = told - self._offsets[number]
            until = self._since[number + 1] if number + 1 < len(self._since) else math.inf
            if max(after, self._since[number]) - SLACK <= real <= until + SLACK:
                return real
        return told - self._offsets[-1]
