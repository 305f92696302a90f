"""A workstation's log stream."""

import json
from collections.abc import Iterator

import pytest
import requests

from portal.sandbox import server


@pytest.fixture
def sandbox(clock) -> Iterator[server.Sandbox]:
    with server.Sandbox(clock=clock, log_every=0.01) as running:
        yield running


def test_entries_come_one_after_the_other(alice):
    uid = alice.make("golang")
    with requests.get(alice.open(uid, "log/stream"), stream=True, timeout=30) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        lines = stream.iter_lines(decode_unicode=True)
        events = [[next(lines) for _ in range(3)] for _ in range(5)]

    assert [(event[0], event[2]) for event in events] == [(f"id: {number}", "") for number in range(1, 6)]
    entries = [json.loads(event[1].removeprefix("data: ")) for event in events]
    assert [entry["type"] for entry in entries] == ["boot", "system", "session", "network", "boot"]
