"""What the audit log tells of pauses and keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from tests.chaos import clocks, told
from tests.chaos.test_books import AGREEING, ATTEMPT, REQUEST
from tests.chaos.told import Line, Unknown

BOTH = Line(at=1.0, verb="confirm-key", target="", detail={"after": ["own", "former"]})
ONE = Line(at=2.0, verb="withdraw-key", target="", detail={"after": ["own"]})
STOP = Line(at=3.0, verb="pause", target="", detail={"cause": "401", "request": 1}, fingerprint="former")


def test_a_pause_for_one_of_several_keys_is_noticed():
    assert told.find_stops([replace(STOP, fingerprint="own")], first="own", steps=[]) == []
    assert told.find_stops([BOTH, replace(ONE, detail={"after": ["former"]}), STOP], first="own", steps=[]) == []
    assert told.find_stops([BOTH, replace(STOP, detail={"cause": "402"})], first="own", steps=[]) == []
    assert told.find_stops([BOTH, STOP], first="own", steps=[2.5]) == []
    assert len(told.find_stops([BOTH, STOP], first="own", steps=[4.0])) == 1


def test_an_event_is_of_the_call_that_ended_then(tmp_path):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        SimpleNamespace(at=now, verb="pause", target="key", detail={"cause": "401", "request": 7}),
        SimpleNamespace(at=now + timedelta(1), verb="reopen", target="Workstation abc", detail={}),
    ]
    refused = [(7, now - timedelta(1), "own"), (7, now, "former"), (8, now, "own")]

    lines = told.read_lines(rows, refused=refused, clock=clocks.Clock(folder=tmp_path))

    assert [line.fingerprint for line in lines] == ["former", ""]
    assert told.list_reopened(lines) == [("abc", (now + timedelta(1)).timestamp())]
    assert told.count(lines) == {"paused: 401": 1, "ends that were taken back": 1}


def test_a_queue_that_burnt_is_noticed():
    failed = [replace(REQUEST, number=number, status="FAILED") for number in range(1, 9)]
    refused = [replace(ATTEMPT, request=number, outcome="FAILED", answered=403, uid="") for number in range(1, 9)]
    contents = replace(AGREEING, requests=failed, attempts=refused)

    assert told.find_burnt(contents, pauses=2, bursts=1) == []
    assert len(told.find_burnt(contents, pauses=0, bursts=1)) == 1


def line(request: int, second: float, before: object, after: object, actor: int | None = None) -> told.Change:
    return request, datetime.fromtimestamp(second, UTC), actor, {"before": before, "after": after}


def test_each_time_is_followed_to_its_end(tmp_path):
    lines = [
        line(1, 10, "SENDING", "UNKNOWN"),
        line(2, 11, "SENDING", "UNKNOWN"),
        line(1, 12, {"listed_at": None}, {"listed_at": "now"}),
        line(1, 14, "UNKNOWN", "QUEUED"),
        line(1, 15, "SENDING", "UNKNOWN"),
        line(2, 16, "UNKNOWN", "QUEUED", actor=7),
        line(3, 17, "SENDING", "SUCCEEDED"),
    ]

    found = told.follow_unknowns(lines, clock=clocks.Clock(folder=tmp_path))

    assert found == [
        Unknown(request=1, seconds=4, by_person=False),
        Unknown(request=2, seconds=5, by_person=True),
        Unknown(request=1, seconds=None, by_person=False),
    ]
    assert told.describe_unknowns(found, asked=frozenset({1})) == {
        "unknown ones that needed a person": "2 of 3 (66.7%)",
        "the others": "0 found, 1 not created",
        "the others were known after": "4.0 s (median), 4.0 s (9 of 10), 4.0 s (all)",
    }
    assert told.describe_unknowns(found, asked=frozenset())["unknown ones that needed a person"] == "1 of 3 (33.3%)"


def test_where_nothing_was_unknown():
    assert told.describe_unknowns([], asked=frozenset()) == {"unknown ones that needed a person": "0 of 0"}
