"""Scripted answers, the gate, and the record: in process and over the control addresses alike."""

import http.client
import socket
import threading
from functools import partial

import pytest
import requests

from tests.provider import wishes
from tests.sandbox.caller import list_threads


def test_answers_are_given_in_order_and_once_each(alice, sandbox):
    sandbox.script([{"status": 503}, {"name": "fail-402", "times": 2}])

    assert [alice.ask().status_code for _ in range(4)] == [503, 402, 402, 200]


def test_an_answer_waits_for_the_call_that_it_is_for(alice, sandbox):
    sandbox.script({"on": "GET /workstations", "status": 500})
    sandbox.script({"on": "*", "status": 501})
    sandbox.script({"on": "DELETE", "status": 502})
    sandbox.script({"on": "GET /workstations/history", "status": 503})
    sandbox.script({"on": "GET /workstations/{id}", "status": 504})

    calls = [
        ("POST", "/workstations"),
        ("GET", "/workstations"),
        ("GET", "/workstations/x"),
        ("GET", "/workstations/history"),
        ("DELETE", "/workstations/x/release"),
        ("GET", "/workstations"),
    ]
    assert [alice.call(method, path, json={}).status_code for method, path in calls] == [501, 500, 504, 503, 502, 200]


def test_an_answer_may_be_anything(alice, sandbox):
    sandbox.script(
        [
            {"status": 429, "headers": {"Retry-After": "7", "content-type": "text/plain"}, "body": "slow down"},
            {"status": 200, "body": {"id": 5}},
            {"status": 200, "body": "<p>"},
            {"status": 200, "body": "\udcff"},
            {"status": 200, "body": b"\xff\xfe"},
            {"status": 204},
            {"status": 304, "body": "none can be sent"},
            {"status": 599},
        ]
    )

    first = alice.ask()
    assert (first.status_code, first.text) == (429, "slow down")
    assert (first.headers["Retry-After"], first.headers["Content-Type"]) == ("7", "text/plain")
    assert alice.ask().json() == {"id": 5}
    assert alice.ask().headers["Content-Type"].startswith("text/html")
    assert alice.ask().content == b"\xed\xb3\xbf"
    assert alice.ask().content == b"\xff\xfe"
    assert [(answer.status_code, answer.content) for answer in (alice.ask(), alice.ask())] == [(204, b""), (304, b"")]
    assert alice.ask().json() == {"error": "Status 599", "message": "Status 599"}
    assert sandbox.record()["workstations"] == []


def test_a_refusal_may_have_made_a_workstation(alice, sandbox):
    sandbox.script([{"status": 503, "made": True}, {"name": "hang", "made": True}])

    assert alice.ask("voip").status_code == 503
    with pytest.raises(requests.ReadTimeout):
        alice.ask("max", timeout=0.05)

    record = sandbox.record()
    assert [(made["type"], made["post"]) for made in record["workstations"]] == [("voip", 1), ("max", 2)]
    assert [post["made"] for post in record["posts"]] == [made["uid"] for made in record["workstations"]]


def test_a_scripted_answer_overrides_the_reserved_name_and_the_key(sandbox):
    sandbox.script([{"status": 402}, {"delay": 0}])
    url, wish = f"{sandbox.base_url}/workstations", {"type": "python", "workspace_id": "fail-500"}

    assert requests.post(url, json=wish, timeout=30).status_code == 402
    # Nothing scripted about the answer itself: the store answers, and asks for the key.
    assert requests.post(url, json=wish, timeout=30).status_code == 401


def test_a_list_may_be_odd_cut_or_delayed_too(alice, sandbox):
    uid = alice.ask().json()["id"]
    every = {"on": "GET /workstations"}
    sandbox.script([{**every, "name": "unknown-status"}, {**every, "name": "slow-0"}, {**every, "name": "truncate"}])

    assert alice.page()["data"][0]["status"] == "hibernating"
    assert alice.uids() == [uid]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        alice.call("GET", "/workstations")


def test_a_release_may_happen_although_it_was_refused(alice, sandbox):
    uid = alice.ask().json()["id"]
    sandbox.script([{"on": "DELETE", "name": "fail-500"}, {"on": "DELETE", "name": "fail-500-made"}])

    assert alice.call("DELETE", f"/workstations/{uid}/release").status_code == 500
    assert alice.uids() == [uid]
    assert alice.call("DELETE", f"/workstations/{uid}/release").status_code == 500
    assert alice.uids() == []


def test_a_delay_ends_with_the_server(sandbox, post_raw):
    sandbox.script({"status": 500, "delay": 600})
    connection = post_raw()
    sandbox.wait_for_posts(1, timeout=30)

    sandbox.stop()

    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert (answer.status, answer.getheader("Connection")) == (500, "close")


@pytest.mark.parametrize(
    "answer",
    [
        5,
        {"colour": "red"},
        {"on": "PATCH"},
        {"name": "slow-601"},
        {"name": None},
        {"name": "hang", "status": 500},
        {"status": "500"},
        {"status": 100},
        {"status": 600},
        {"body": "without a status"},
        {"headers": {"X": "without a status"}},
        {"status": 200, "headers": []},
        {"status": 200, "headers": {"X": 5}},
        {"status": 200, "headers": {"X": "a\r\nb"}},
        {"delay": -1},
        {"delay": 601},
        {"delay": True},
        {"delay": "1"},
        {"made": 1},
        {"times": 0},
        {"times": "2"},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_with_all_its_list(alice, sandbox, answer):
    with pytest.raises(wishes.ScriptError):
        sandbox.script([{"status": 500}, answer])
    refusal = alice.control("POST", "answers", json=[answer])

    assert refusal.status_code == 400
    assert alice.ask().status_code == 200


def test_the_script_over_http(sandbox, alice):
    assert alice.control("POST", "answers", json={"status": 418}).status_code == 200
    assert alice.control("POST", "answers", data="no JSON").status_code == 400
    assert alice.ask().status_code == 418


@pytest.mark.parametrize("over_http", [True, False])
def test_while_held_a_post_is_received_and_made_but_not_answered(alice, sandbox, post_raw, over_http):
    hold, release = (
        (lambda: alice.control("POST", "hold"), lambda: alice.control("POST", "release"))
        if over_http
        else (sandbox.hold, sandbox.release)
    )
    hold()
    connection = post_raw()
    sandbox.wait_for_posts(1, timeout=30)
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    (post,) = sandbox.record()["posts"]
    assert post["answered"] is None
    # Other calls go on.
    assert alice.uids() == [post["made"]]

    release()

    connection.settimeout(30)
    assert connection.recv(12) == b"HTTP/1.1 200"
    assert sandbox.record()["posts"][0]["answered"] == 200


def test_the_record_tells_all_but_the_key(alice, sandbox, clock):
    made = alice.ask("chromium", headers={"X-Trace": "7"}).json()
    alice.call("POST", "/workstations", data=b"\xff", headers={"Authorization": "Bearer guess-me"})
    alice.uids()

    record = alice.control("GET", "record").json()

    assert record == sandbox.record()
    assert record["workstations"] == [
        {
            "uid": made["id"],
            "type": "chromium",
            "workspace": made["workspace"]["id"],
            "status": "active",
            "post": 1,
            "released": False,
        }
    ]
    first, second = record["posts"]
    assert first["headers"]["X-Trace"] == "7"
    assert "authorization" not in {name.lower() for post in record["posts"] for name in post["headers"]}
    del first["headers"], second["headers"]
    moment = "2023-11-14T22:13:20Z"
    assert first == {
        "sequence": 1,
        "time": moment,
        "authorized": True,
        "body": '{"type": "chromium"}',
        "answered": 200,
        "made": made["id"],
    }
    assert second == {
        "sequence": 2,
        "time": moment,
        "authorized": False,
        "body": "\ufffd",
        "answered": 401,
        "made": None,
    }


@pytest.mark.parametrize("over_http", [True, False])
def test_a_reset_forgets_everything(alice, sandbox, over_http):
    made = alice.ask().json()
    sandbox.script({"status": 500})
    sandbox.hold()

    if over_http:
        alice.control("POST", "reset")
    else:
        sandbox.reset()

    assert sandbox.record() == {"posts": [], "connections": [], "workstations": []}
    assert alice.uids() == []
    assert alice.ask("max", made["workspace"]["id"]).status_code == 422
    assert alice.ask().status_code == 200


def test_waiting_for_posts_that_do_not_come(sandbox):
    with pytest.raises(TimeoutError, match="0 of 1 POSTs"):
        sandbox.wait_for_posts(1, timeout=0.01)


def test_many_posts_at_once_take_the_script_in_the_order_of_the_record(alice, sandbox):
    sandbox.script([{"status": 500 + number} for number in range(20)])
    post = partial(requests.post, f"{sandbox.base_url}/workstations", timeout=30)
    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [post["answered"] for post in sandbox.record()["posts"]] == [500 + number for number in range(20)]


def test_a_client_that_broke_its_connection_harms_nobody(alice, sandbox, post_raw, caplog):
    sandbox.hold()
    connection = post_raw()
    sandbox.wait_for_posts(1, timeout=30)
    (thread,) = list_threads()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()

    sandbox.release()

    thread.join(30)
    assert not thread.is_alive()
    assert alice.uids() == [sandbox.record()["posts"][0]["made"]]
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


def test_an_answer_held_back_goes_out_when_the_provider_stops(sandbox, post_raw):
    sandbox.hold()
    connection = post_raw()
    sandbox.wait_for_posts(1, timeout=30)

    sandbox.stop()

    assert connection.recv(12) == b"HTTP/1.1 200"
