"""The server itself: what it keeps, how it stops, and what it makes of requests that are not sound."""

import http.client
import logging
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest

from portal.sandbox import names, responses, server
from tests import ports
from tests.sandbox.caller import Caller

UNAUTHORIZED = responses.reply_error(401).body


@pytest.mark.parametrize("workspace", [None, "slow-600"])
def test_what_was_made_survives_kill_9_also_before_it_was_answered(tmp_path, workspace):
    path = tmp_path / "new" / "folder" / "sandbox.sqlite3"
    command = [sys.executable, "-m", "portal.sandbox", "--port", "0", "--data", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with Caller(process.stdout.readline().split()[-1]) as alice, alice.post_raw(workspace) as connection:
            if workspace is None:
                assert connection.recv(12) == b"HTTP/1.1 200"
            wait_until_made(alice)
            process.kill()

    with server.Sandbox(path=path) as sandbox, Caller(sandbox.base_url) as bob:
        (made,) = bob.page()["data"]
        assert bob.read(made["id"]).json() == made
    assert made["type"] == "python"


def test_a_store_that_is_none_gives_the_port_back(tmp_path):
    path = tmp_path / "sandbox.sqlite3"
    path.write_text("This is no database. " * 100)
    port = ports.find_port()
    with pytest.raises(sqlite3.DatabaseError):
        server.Sandbox(port=port, path=path)

    never_started = server.Sandbox(port=port)
    never_started.stop()
    never_started.stop()


def test_it_listens_on_loopback_only(clock):
    for host in ("0.0.0.0", "192.0.2.1", "example.com", "::"):
        with pytest.raises(ValueError, match="loopback only"):
            server.Sandbox(host=host)
    with server.Sandbox(host="localhost", api_key="other") as sandbox, Caller(sandbox.base_url, "other") as alice:
        assert alice.uids() == []
        assert sandbox.url.startswith("http://localhost:")


def test_stop_finishes_slow_answers_cuts_the_others_and_joins_every_thread(sandbox, post_raw):
    before = threading.enumerate()
    slow, slower, hanging = post_raw("slow-500"), post_raw("slow-600"), post_raw("hang")
    sandbox.wait(3)
    idle = socket.create_connection(slow.getpeername(), timeout=30)
    idle.sendall(b"GET /v1/workstations HTTP/1.1\r\n\r\n")
    assert idle.recv(65536).startswith(b"HTTP/1.1 401")
    assert len(threading.enumerate()) >= len(before) + 3

    sandbox.stop()

    with idle:
        assert b"".join(iter(lambda: idle.recv(65536), b"")) in (b"", UNAUTHORIZED)
    assert hanging.recv(1) == b""
    for connection in (slow, slower):
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
        assert answer.read().endswith(b"}")
    assert not set(threading.enumerate()) - set(before)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sandbox")]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(slow.getpeername())


def test_a_body_that_was_cut_off_is_no_request(alice, sandbox):
    with socket.create_connection(("127.0.0.1", urlsplit(sandbox.base_url).port)) as client:
        client.sendall(b"POST /v1/workstations HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert alice.page()["data"] == []


def test_one_line_a_request_and_never_the_key(alice, caplog, capfd):
    with caplog.at_level(logging.DEBUG, logger="portal.sandbox"):
        alice.ask()
        alice.uids(limit=5)
        alice.ask("max", "fail-503")
        alice.ask("max", names.DEFAULT_API_KEY)

    assert [line.getMessage() for line in caplog.records if line.name == "portal.sandbox"] == [
        "POST /v1/workstations: 200",
        "GET /v1/workstations: 200",
        "POST /v1/workstations: 503",
        "POST /v1/workstations: 422",
    ]
    assert "Bearer" not in caplog.text
    assert capfd.readouterr() == ("", "")


def test_it_imports_the_standard_library_only():
    code = "import sys; from portal.sandbox import __main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert {name.partition(".")[0] for name in loaded} & {"django", "requests", "urllib3", "environ"} == set()
    assert {name.split(".")[1] for name in loaded if name.startswith("portal.")} == {"sandbox"}


def run_command(tmp_path, *arguments):
    command = [sys.executable, "-m", "portal.sandbox", "--data", f"{tmp_path}/sandbox.sqlite3", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_command_stops_cleanly_and_finishes_the_answers_begun(tmp_path, number):
    with run_command(tmp_path, "--port", "0") as process:
        address = process.stdout.readline().removeprefix("The sandbox answers at ").strip()
        with Caller(address) as alice, alice.post_raw("slow-600") as connection:
            wait_until_made(alice)
            process.send_signal(number)
            assert connection.recv(12) == b"HTTP/1.1 200"
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert (tmp_path / "sandbox.sqlite3").exists()


def wait_until_made(alice: Caller) -> None:
    while not alice.uids():
        pass


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--host", "0.0.0.0"], "The sandbox listens on loopback only, not on 0.0.0.0."),
        (["--port", "{taken}"], "127.0.0.1:{taken} with {folder}/sandbox.sqlite3: [Errno 98] Address already in use"),
        (["--port", "0", "--data", "{folder}"], "127.0.0.1:0 with {folder}: unable to open database file"),
    ],
)
def test_the_command_says_in_one_line_why_it_cannot_start(sandbox, tmp_path, arguments, line):
    words = {"taken": sandbox.url.rpartition(":")[2], "folder": str(tmp_path)}
    with run_command(tmp_path, *(argument.format(**words) for argument in arguments)) as process:
        output, errors = process.communicate(timeout=30)

    assert (process.returncode, output) == (1, "")
    assert errors.startswith("portal: The sandbox cannot be served at ")
    assert errors.endswith(f"{line.format(**words)}\n")
    assert errors.count("\n") == 1
