"""Opening connections into workstations, and what closes them. What they carry has tests of its own."""

import json
import logging
import shutil
import socket
import sqlite3
import subprocess
import sys

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from portal.sandbox import browser, script, server
from portal.sandbox.generations import CONNECTIONS
from tests.sandbox.conftest import Caller
from tests.sandbox.viewer import BINARY, SocketLine, Viewer, WebSocketLine, dial, read_to_end

# Without a Chromium, which takes seconds to start.
QUICK = [way for way in CONNECTIONS if way != "browser/cdp"]


def wait_until_refused(address: str) -> None:
    """Call until nobody listens; who is on the point of closing may still take the call, or break it."""
    while True:
        try:
            dial(address).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue


@pytest.mark.parametrize("way", CONNECTIONS)
def test_a_wrong_key_or_a_workstation_that_does_not_live_opens_nothing(alice, way):
    uid = alice.make()
    wrong = alice.call("POST", f"/workstations/{uid}/{way}", headers={"Authorization": "Bearer wrong"})
    alice.release(uid)

    assert wrong.status_code == 401
    assert [alice.call("POST", f"/workstations/{name}/{way}").status_code for name in (uid, "made-up")] == [422, 422]


@pytest.mark.parametrize(
    ("way", "type"),
    [("vncwss", "python"), ("vnc", "voip"), ("sandbox/pty", "chromium"), ("browser/cdp", "golang")],
)
def test_a_type_without_what_it_needs_says_so(alice, way, type):
    answer = alice.call("POST", f"/workstations/{alice.make(type)}/{way}")

    assert answer.status_code == 422
    assert answer.json()["message"] == (
        f"Unprocessable Entity - a workstation of type {type} has no {CONNECTIONS[way]}."
    )


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
    host, port = sandbox.url.removeprefix("http://").split(":")
    sandbox.hold()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
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
    assert (call["on"], call["workstation"]) == (script.CONNECTIONS["sandbox/pty"], uid)
    assert (call["answered"], call["authorized"], call["body"]) == (200, True, "")
    assert len(record["posts"]) == 1
    sandbox.wait_for_posts(1, timeout=30)
    with pytest.raises(TimeoutError):
        sandbox.wait_for_posts(2, timeout=0.01)


def test_tokens_are_in_no_record_and_no_log(alice, sandbox, caplog):
    # What is configured sets the levels of all loggers below it back, whose own lines have the addresses.
    assert not [name for name in logging.Logger.manager.loggerDict if name.startswith("portal.sandbox.")]
    with caplog.at_level(logging.DEBUG, logger="portal.sandbox"):
        uid = alice.make()
        addresses = [alice.open(uid, way) for way in ("vncwss", "sandbox/pty", "log/stream")]
        for address in addresses[:2]:
            with connect(address, logger=logging.getLogger("silent")) as connection:
                connection.recv(30)
        requests.get(addresses[2], stream=True, timeout=30).close()
    secrets = [address.rpartition("/")[2] for address in addresses]
    lines = [line.getMessage() for line in caplog.records if line.name.startswith("portal")]

    assert all(len(secret) >= 20 for secret in secrets)
    assert len(set(secrets)) == 3
    assert any("/v1/log/sse/*" in line for line in lines)
    assert not [secret for secret in secrets if secret in json.dumps(sandbox.record()) + " ".join(lines)]


def test_an_address_works_for_several_at_once(alice):
    address = alice.open(alice.make(), "sandbox/pty")

    with connect(address) as first, connect(address) as second:
        assert first.recv(30) == second.recv(30)


@pytest.mark.parametrize("path", ["/v1/vnc/wrong", "/v1/pty/wrong", "/"])
def test_a_wrong_token_leads_nowhere(alice, path):
    address = alice.open(alice.make(), "vncwss")
    with pytest.raises(InvalidStatus) as caught:
        connect(address.partition("/v1/")[0] + path)
    assert caught.value.response.status_code == 404


def test_a_token_leads_only_where_it_was_given_for(alice, sandbox):
    uid = alice.make()
    desktop, log = alice.open(uid, "vncwss"), alice.open(uid, "log/stream")
    token = desktop.rpartition("/")[2]
    server_address = desktop.partition("/v1/")[0]
    for path in (f"/v1/pty/{token}", log.removeprefix(sandbox.url)):
        with pytest.raises(InvalidStatus):
            connect(server_address + path)
    assert requests.get(f"{sandbox.url}/v1/log/sse/{token}", timeout=30).status_code == 404


@pytest.mark.parametrize("end", ["release", "lifetime", "reset"])
def test_the_end_of_a_workstation_closes_all_that_leads_into_it(alice, sandbox, clock, end):
    uid, other = alice.make(), alice.make()
    addresses = {way: alice.open(uid, way) for way in QUICK}
    with (
        connect(addresses["vncwss"], subprotocols=[BINARY]) as desktop,
        connect(addresses["sandbox/pty"]) as terminal,
        dial(addresses["vnc"]) as native,
        requests.get(addresses["log/stream"], stream=True, timeout=30) as log,
        connect(alice.open(other, "sandbox/pty")) as bystander,
    ):
        Viewer(WebSocketLine(desktop)).update(whole=True)
        Viewer(SocketLine(native)).update(whole=True)
        terminal.recv(30)
        bystander.recv(30)

        {"release": lambda: alice.release(uid), "lifetime": lambda: clock.move(2000), "reset": sandbox.reset}[end]()

        for connection in (desktop, terminal):
            assert read_to_end(connection) == (1001, "The workstation has ended.")
        while native.recv(65536):
            pass
        assert log.content.endswith(b"\n\n")
        if end == "release":
            bystander.send("whoami\r")
            assert b"agent" in bystander.recv(30)
    with pytest.raises(InvalidStatus):
        connect(addresses["sandbox/pty"])
    wait_until_refused(addresses["vnc"])


def test_stop_closes_all_of_them_also_those_that_do_not_answer(clock):
    with server.Sandbox(clock=clock) as sandbox, Caller(sandbox.base_url) as alice:
        uid = alice.make()
        terminal = connect(alice.open(uid, "sandbox/pty"))
        native = dial(alice.open(uid, "vnc"))
        deaf = dial(alice.open(uid, "vncwss").removeprefix("ws://").partition("/")[0])
        log = requests.get(alice.open(uid, "log/stream"), stream=True, timeout=30)
        assert native.recv(12) == b"RFB 003.008\n"

    with terminal, native, deaf, log:
        assert native.recv(1) == b""
        assert log.content
        assert read_to_end(terminal) == (1001, "The workstation has ended.")


def test_nothing_more_is_opened_once_it_stops(alice, sandbox):
    uid = alice.make()
    sandbox._connections.stop()
    assert alice.call("POST", f"/workstations/{uid}/vncwss").status_code == 503


def test_a_sandbox_that_never_served_can_be_stopped(clock):
    server.Sandbox(clock=clock).stop()


def test_the_port_can_be_chosen_and_a_taken_one_leaves_nothing_open(clock):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            server.Sandbox(clock=clock, connections_port=port)
    with server.Sandbox(clock=clock, connections_port=port) as sandbox, Caller(sandbox.base_url) as alice:
        assert alice.open(alice.make(), "vncwss").startswith(f"ws://127.0.0.1:{port}/v1/vnc/")


def test_a_store_of_before_there_were_connections_is_still_good(tmp_path, clock):
    path = tmp_path / "sandbox.sqlite3"
    server.Sandbox(path=path, clock=clock).stop()
    connection = sqlite3.connect(path)
    for column in ("operation", "workstation"):
        connection.execute(f"ALTER TABLE posts DROP COLUMN {column}")
    connection.execute("INSERT INTO posts (received_at, headers, authorized, body) VALUES (0, '{}', 1, '')")
    connection.commit()
    connection.close()

    with server.Sandbox(path=path, clock=clock) as sandbox:
        record = sandbox.record()
    assert (len(record["posts"]), record["connections"]) == (1, [])


def test_the_web_process_loads_no_websockets():
    code = "import sys; from portal.sandbox import names; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "websockets" not in loaded


@pytest.mark.skipif(not any(map(shutil.which, browser._NAMES)), reason="no Chromium is installed")
def test_a_browser_can_be_debugged_until_its_workstation_ends(alice):
    uid = alice.make()
    address = alice.open(uid, "browser/cdp")
    assert alice.open(uid, "browser/cdp") == address
    version = requests.get(f"{address}/json/version", timeout=30).json()
    with connect(version["webSocketDebuggerUrl"]) as debugger:
        debugger.send('{"id": 1, "method": "Target.getTargets"}')
        assert json.loads(debugger.recv(30))["id"] == 1

        alice.release(uid)

        with pytest.raises(ConnectionClosed):
            debugger.recv(30)


def test_without_a_chromium_there_is_no_browser(alice, monkeypatch):
    monkeypatch.setenv("PATH", "")
    answer = alice.call("POST", f"/workstations/{alice.make()}/browser/cdp")
    assert (answer.status_code, "no Chromium is installed" in answer.json()["message"]) == (422, True)


def test_a_chromium_that_does_not_start_is_an_internal_error(alice, monkeypatch, tmp_path):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = alice.call("POST", f"/workstations/{alice.make()}/browser/cdp")
    assert (answer.status_code, answer.json()["error"]) == (500, "Internal Server Error")
