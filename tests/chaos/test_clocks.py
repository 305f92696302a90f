"""When a clock that steps told a time."""

import struct
import time

import pytest

from tests.chaos import clocks


@pytest.fixture
def clock(tmp_path, monkeypatch) -> clocks.Clock:
    """A clock that was an hour ahead from 1000 to 1100, then right, ten seconds behind from 1200, and ahead since 1300:
    a process may have seen that a second late.
    """
    clock = clocks.Clock(folder=tmp_path)
    for begun, done, offset in (
        (1000.0, 1000.0, 3600),
        (1100.0, 1100.0, 0),
        (1200.0, 1200.0, -10),
        (1300.0, 1301.0, 50),
    ):
        monkeypatch.setattr(time, "time", iter((begun, done)).__next__)
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
        # A statement that waited, before the clock went back.
        (4650.0, 1050.3, 1050.0),
        (1199.0, 1199.5, 1199.0),
        (1290.5, 1300.2, 1300.5),
        (1350.5, 1300.2, 1300.5),
        (2000.0, 0.0, 1950.0),
    ],
)
def test_a_time_is_placed_by_the_steps_and_by_what_it_cannot_be_before(clock, told, after, real):
    assert clock.locate(told, after=after) == real


def test_the_file_says_the_offset(clock, tmp_path):
    assert struct.unpack("q", (tmp_path / "clock").read_bytes()) == (50,)
