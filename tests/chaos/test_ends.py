"""What the audit log of a run tells of lives and limits."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.chaos import ends
from tests.chaos.ends import MOST
from tests.chaos.told import Line

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINE = Line(request=1, member="alice", lifetime="20s", at=0.0, told_at=NOW, verb="response", detail={})
BEGUN = replace(LINE, detail={"after": "SUCCEEDED"})
WARNED = replace(LINE, at=10.0, verb="warn-end", detail={"ends_at": "x", "warning": 1})
RELEASED = replace(LINE, at=20.1, verb="request-release")
KEPT = replace(LINE, at=12.0, verb="set-end", detail={"after": {"ends_at": "2026-01-01T00:00:30+00:00"}})


@pytest.mark.parametrize(
    ("lines", "steps", "count"),
    [
        ([BEGUN, WARNED, RELEASED], [], 0),
        ([replace(BEGUN, at=2.0, late=2.0), WARNED, RELEASED], [], 0),
        ([replace(BEGUN, at=2.0), WARNED, RELEASED], [], 1),
        ([BEGUN, RELEASED], [], 1),
        ([BEGUN, WARNED, KEPT, RELEASED], [], 2),
        ([BEGUN, KEPT, replace(WARNED, at=30.0), replace(RELEASED, at=42.1)], [], 0),
        ([BEGUN, WARNED, replace(RELEASED, at=15.0)], [], 1),
        ([BEGUN, WARNED, replace(RELEASED, at=15.0)], [3.0], 0),
        ([BEGUN, replace(WARNED, at=19.9), RELEASED], [], 1),
        ([BEGUN, WARNED, WARNED, RELEASED], [], 1),
        ([BEGUN, WARNED, replace(RELEASED, is_portal=False, at=11.0)], [], 0),
    ],
)
def test_an_end_that_is_early_or_not_announced_is_noticed(lines, steps, count):
    assert len(ends.find_faults(lines, steps=steps)) == count


def test_a_limit_that_was_passed_is_noticed():
    lines = [replace(LINE, request=number, verb="submit", at=float(number)) for number in range(MOST + 2)]
    for values, count in (({"member": "alice"}, 2), ({}, 2), ({"until": MOST}, 1), ({"member": "bob"}, 0)):
        assert len(ends.find_passed(lines, most=MOST, **values)) == count
    over = [replace(LINE, request=0, verb="released"), replace(LINE, request=1, detail={"after": "FAILED"})]
    assert ends.find_passed([*lines[:MOST], *over, *lines[MOST:]], most=MOST, member="alice") == []


def test_what_ended_though_its_end_was_put_off_is_noticed():
    assert ends.find_kept({"a", "b"}, released=frozenset({"b", "c"})) == [
        "b was released, though its end had been put off"
    ]
    assert ends.find_kept({"a"}, released=frozenset({"b"})) == []
