"""What the audit log tells of pauses and keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from tests.chaos import told
from tests.chaos.test_books import AGREEING, ATTEMPT, REQUEST
from tests.chaos.told import Line

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = Line(at=1.0, told_at=NOW, verb="confirm-key", detail={"after": ["own", "former"]})
ONE = replace(BOTH, at=2.0, verb="withdraw-key", detail={"after": ["own"]})
STOP = replace(BOTH, at=3.0, verb="pause", detail={"cause": "401", "request": 1}, fingerprint="former")


def test_a_pause_for_one_of_several_keys_is_noticed():
    assert told.find_stops([replace(STOP, fingerprint="own")], first="own", steps=[]) == []
    assert told.find_stops([BOTH, replace(ONE, detail={"after": ["former"]}), STOP], first="own", steps=[]) == []
    assert told.find_stops([BOTH, replace(STOP, detail={"cause": "402"})], first="own", steps=[]) == []
    assert told.find_stops([BOTH, STOP], first="own", steps=[2.5]) == []
    assert len(told.find_stops([BOTH, STOP], first="own", steps=[4.0])) == 1


def test_an_event_is_of_the_call_that_ended_then():
    pause = SimpleNamespace(at=NOW, verb="pause", target="key", detail={"cause": "401", "request": 7}, actor_id=None)
    reopen = SimpleNamespace(at=NOW, verb="reopen", target="Workstation abc", detail={}, actor_id=None)
    refused = [(7, NOW - timedelta(1), "own"), (7, NOW, "former"), (8, NOW, "own")]
    lines = [told.read_line(event, at=9.0, of=None, refused=refused) for event in (pause, reopen)]
    assert [line.fingerprint for line in lines] == ["former", ""]
    assert told.list_reopened(lines) == [("abc", 9.0)]
    assert told.count(lines) == {"paused: 401": 1, "ends that were taken back": 1}


def test_a_queue_that_burnt_is_noticed():
    failed = [replace(REQUEST, number=number, status="FAILED") for number in range(1, 9)]
    refused = [replace(ATTEMPT, request=number, outcome="FAILED", answered=403, uid="") for number in range(1, 9)]
    contents = replace(AGREEING, requests=failed, attempts=refused)

    assert told.find_burnt(contents, pauses=2, bursts=1) == []
    assert len(told.find_burnt(contents, pauses=0, bursts=1)) == 1
