"""The record of what was asked for, and connections that are scripted, limited and held."""

import json

import pytest
import requests

from portal.sandbox.provider import CONNECTIONS


def test_every_type_has_logs_and_a_stranger_s_type_nothing_else(alice, sandbox):
    (uid,) = sandbox.make_strangers(types=["quantum"])

    answers = {way: alice.call("POST", f"/workstations/{uid}/{way}").status_code for way in CONNECTIONS}

    assert answers == dict.fromkeys(CONNECTIONS, 422) | {"log/stream": 200}


@pytest.mark.parametrize("way", CONNECTIONS)
def test_each_can_be_scripted_limited_and_held(alice, sandbox, way):
    uid, on = alice.make("chromium"), f"POST /workstations/{{id}}/{way}"
    sandbox.script([{"on": on, "status": 500}, {"on": on, "name": "fail-503-html"}])
    sandbox.set_faults({"mix": [{"on": on, "share": 1, "status": 402}], "rate_limits": [{"on": on, "calls": 1}]})

    answers = [alice.call("POST", f"/workstations/{uid}/{way}").status_code for _ in range(4)]

    assert answers == [500, 503, 402, 429]
    assert alice.ask().status_code == 200
    assert [post["answered"] for post in sandbox.record()["connections"]] == answers


def test_an_answer_held_back_goes_out_on_release(alice, sandbox):
    uid = alice.make()
    sandbox.hold()
    with alice.connect() as connection:
        head = f"POST /v1/workstations/{uid}/log/stream HTTP/1.1\r\nAuthorization: Bearer sandbox\r\n\r\n"
        connection.sendall(head.encode())
        while not sandbox.record()["connections"]:
            pass
        assert [post["answered"] for post in sandbox.record()["connections"]] == [None]

        sandbox.release()

        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_record_has_each_call_apart_from_those_for_workstations(alice, sandbox):
    uid = alice.make()
    alice.open(uid, "sandbox/pty")

    record = sandbox.record()

    (call,) = record["connections"]
    assert (call["on"], call["workstation"]) == (CONNECTIONS["sandbox/pty"], uid)
    assert (call["answered"], call["authorized"], call["body"]) == (200, True, "")
    assert len(record["posts"]) == 1
    sandbox.wait_for_posts(1, timeout=30)
    with pytest.raises(TimeoutError):
        sandbox.wait_for_posts(2, timeout=0.01)


def test_no_token_is_in_the_record(alice, sandbox):
    uid = alice.make()
    tokens = [alice.open(uid, way).rpartition("/")[2] for way in ("vncwss", "sandbox/pty", "log/stream", "browser/cdp")]

    assert not [token for token in tokens if token in json.dumps(sandbox.record())]


def test_a_reset_ends_a_connection(alice, sandbox):
    with requests.get(alice.open(alice.make(), "log/stream"), stream=True, timeout=30) as log:
        sandbox.reset()
        assert log.content.endswith(b"\n\n")


@pytest.mark.parametrize("name", ["reset", "truncate"])
def test_how_a_post_ended_without_an_answer(alice, sandbox, name):
    with pytest.raises(requests.RequestException):
        alice.ask(workspace=name)

    (post,) = sandbox.record()["posts"]
    assert (post["answered"], post["made"]) == (name, None)
