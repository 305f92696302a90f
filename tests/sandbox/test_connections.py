"""Opening connections into workstations, and what closes them. What they carry has tests of its own."""

import logging
import socket
import subprocess
import sys

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from portal.sandbox import server
from portal.sandbox.connections import CONNECTIONS
from tests import ports
from tests.sandbox.caller import Caller
from tests.sandbox.viewer import BINARY, Viewer, read_to_end


@pytest.mark.parametrize("way", CONNECTIONS)
def test_a_wrong_key_or_a_workstation_that_does_not_live_opens_nothing(alice, way):
    uid = alice.make()
    wrong = alice.call("POST", f"/workstations/{uid}/{way}", headers={"Authorization": "Bearer wrong"})
    alice.release(uid)

    assert wrong.status_code == 401
    assert [alice.call("POST", f"/workstations/{name}/{way}").status_code for name in (uid, "made-up")] == [422, 422]


@pytest.mark.parametrize(
    ("way", "type"), [("vncwss", "python"), ("vnc", "voip"), ("sandbox/pty", "chromium"), ("browser/cdp", "golang")]
)
def test_a_type_without_what_it_needs_says_so(alice, way, type):
    answer = alice.call("POST", f"/workstations/{alice.make(type)}/{way}")

    assert answer.status_code == 422
    assert answer.json()["message"] == (
        f"Unprocessable Entity - a workstation of type {type} has no {CONNECTIONS[way][0]}."
    )


def test_tokens_are_in_no_log(alice, caplog):
    # What is configured sets the levels of all loggers below it back, whose own lines have the addresses.
    assert not [name for name in logging.Logger.manager.loggerDict if name.startswith("portal.sandbox.")]
    with caplog.at_level(logging.DEBUG, logger="portal.sandbox"):
        uid = alice.make()
        addresses = [alice.open(uid, way) for way in ("vncwss", "sandbox/pty", "log/stream", "browser/cdp")]
        for address in addresses[:2]:
            with connect(address, logger=logging.getLogger("silent")) as connection:
                connection.recv(30)
        for address in addresses[2:]:
            requests.get(address, stream=True, timeout=30).close()
    secrets = [address.rpartition("/")[2] for address in addresses]
    lines = [line.getMessage() for line in caplog.records if line.name.startswith("portal")]

    assert all(len(secret) >= 20 for secret in secrets)
    assert len(set(secrets)) == 4
    assert any("/v1/log/sse/*" in line for line in lines)
    assert not [secret for secret in secrets if secret in " ".join(lines)]


def test_a_token_leads_only_where_it_was_given_for(alice, sandbox):
    uid = alice.make()
    desktop, log = alice.open(uid, "vncwss"), alice.open(uid, "log/stream")
    token = desktop.rpartition("/")[2]
    server_address = desktop.partition("/v1/")[0]
    for path in (f"/v1/pty/{token}", log.removeprefix(sandbox.url), "/v1/vnc/wrong", "/"):
        with pytest.raises(InvalidStatus) as caught:
            connect(server_address + path)
        assert caught.value.response.status_code == 404
    assert requests.get(f"{sandbox.url}/v1/log/sse/{token}", timeout=30).status_code == 404


@pytest.mark.parametrize("end", ["release", "lifetime"])
def test_the_end_of_a_workstation_closes_all_that_leads_into_it(alice, clock, end):
    uid, other = alice.make(), alice.make()
    addresses = {way: alice.open(uid, way) for way in CONNECTIONS}
    with (
        connect(addresses["vncwss"], subprotocols=[BINARY], max_size=None) as desktop,
        connect(addresses["sandbox/pty"]) as terminal,
        requests.get(addresses["log/stream"], stream=True, timeout=30) as log,
        connect(alice.open(other, "sandbox/pty")) as bystander,
    ):
        Viewer(desktop).update(whole=True)
        terminal.recv(30)
        bystander.recv(30)

        {"release": lambda: alice.release(uid), "lifetime": lambda: clock.move(2000)}[end]()

        for connection in (desktop, terminal):
            assert read_to_end(connection) == (1001, "The workstation has ended.")
        assert log.content.endswith(b"\n\n")
        if end == "release":
            bystander.send("whoami\r")
            assert b"agent" in bystander.recv(30)
    with pytest.raises(InvalidStatus):
        connect(addresses["sandbox/pty"])


def test_stop_closes_all_of_them_also_those_that_do_not_answer(clock):
    port = ports.find_port()
    with server.Sandbox(clock=clock, connections_port=port) as sandbox, Caller(sandbox.base_url) as alice:
        with pytest.raises(OSError, match="in use"):
            server.Sandbox(clock=clock, connections_port=port)
        uid = alice.make()
        terminal = connect(alice.open(uid, "sandbox/pty"))
        assert alice.open(uid, "vncwss").startswith(f"ws://127.0.0.1:{port}/v1/vnc/")
        deaf = socket.create_connection(("127.0.0.1", port), timeout=30)
        log = requests.get(alice.open(uid, "log/stream"), stream=True, timeout=30)

        sandbox.provider.connections.stop()
        assert alice.call("POST", f"/workstations/{uid}/vncwss").status_code == 503
    with terminal, deaf, log:
        assert log.content
        assert read_to_end(terminal) == (1001, "The workstation has ended.")


def test_the_web_process_loads_no_websockets():
    code = "import sys; from portal.sandbox import names; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "websockets" not in loaded


def test_behind_the_address_of_a_browser_is_a_refusal_that_says_so(alice, sandbox):
    address = alice.open(alice.make("chromium"), "browser/cdp")
    assert address.startswith(f"{sandbox.url}/v1/cdp/")

    answer = requests.get(f"{address}/json/version", timeout=30)

    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found - the sandbox has no browser behind this address."
