"""When a clock that steps told a time."""

import struct
import time

import pytest

from tests.chaos import clocks


@pytest.fixture
def clock(tmp_path, monkeypatch) -> clocks.Clock:
    """A clock that was an hour ahead from 1000 to 1100, then right, and ten seconds behind since 1200."""
    clock = clocks.Clock(folder=tmp_path)
    for at, offset in ((1000.0, 3600), (1100.0, 0), (1200.0, -10)):
        monkeypatch.setattr(time, "time", lambda at=at: at)
        clock.step(offset)
    return clock


@pytest.mark.parametrize(
    ("told", "after", "real"),
    [
        (999.0, 0.0, 999.0),
        (4650.0, 0.0, 1050.0),
        (1150.0, 0.0, 1150.0),
        # Told twice: before the last step and after it.
        (1195.0, 1100.0, 1195.0),
        (1195.0, 1200.0, 1205.0),
        (2000.0, 0.0, 2010.0),
    ],
)
def test_a_time_is_placed_by_the_steps_and_by_what_it_cannot_be_before(clock, told, after, real):
    assert clock.locate(told, after=after) == real


def test_the_file_says_the_offset(clock, tmp_path):
    assert struct.unpack("q", (tmp_path / "clock").read_bytes()) == (-10,)
