"""The reserved names that the tests' provider alone knows."""

import http.client

import pytest

from tests.provider import server
from tests.provider.asked import SAMPLE
from tests.sandbox.caller import list_threads


def test_a_truncated_answer(alice, post_raw):
    answer = http.client.HTTPResponse(post_raw("truncate"))
    answer.begin()
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert SAMPLE.startswith(broken.value.partial)
    assert alice.uids() == []


def test_a_dripping_answer_goes_on_until_the_server_stops(alice, sandbox, post_raw, monkeypatch):
    monkeypatch.setattr(server, "DRIP_EVERY", 0.001)
    answer = http.client.HTTPResponse(post_raw("drip"))
    answer.begin()

    # Further than the sample: then it drips spaces.
    assert answer.read(len(SAMPLE) + 3) == SAMPLE + b"   "
    assert alice.uids() == []
    sandbox.stop()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_an_id_of_300_characters_by_its_name(alice):
    first, second = [alice.ask(workspace="long-id").json()["id"] for _ in range(2)]

    assert len(first) == len(second) == 300
    assert alice.uids() == [second, first]
    assert alice.read(first).json()["id"] == first
    alice.release(first)
    assert alice.uids("/workstations/history") == [first]


def test_a_dripping_answer_ends_when_the_client_leaves(sandbox, post_raw, monkeypatch, caplog):
    monkeypatch.setattr(server, "DRIP_EVERY", 0.001)
    connection = post_raw("drip")
    sandbox.wait_for_posts(1, timeout=30)
    (thread,) = list_threads()

    connection.close()

    thread.join(30)
    assert not thread.is_alive()
    assert not [line for line in caplog.records if line.levelname == "ERROR"]
