"""The provider in a process of its own, as a portal in another meets it."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.provider.conftest import Director


@contextmanager
def run(path: Path) -> Iterator[tuple["subprocess.Popen[str]", Director]]:
    command = [sys.executable, "-m", "tests.provider", "--port", "0", "--data", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("The provider answers at ").strip()
        with Director(address) as director:
            yield process, director
        process.kill()


def post_and_wait(director: Director) -> socket.socket:
    """A POST that has made its workstation and is not answered yet."""
    before = len(director.uids())
    connection = director.post_raw("slow-600")
    while len(director.uids()) == before:
        pass
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_answers_begun(tmp_path, number):
    with run(tmp_path / "provider.sqlite3") as (process, director), post_and_wait(director) as connection:
        process.send_signal(number)
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert process.wait(30) == 0


def test_what_was_recorded_survives_kill_9(tmp_path):
    path = tmp_path / "provider.sqlite3"
    with run(path) as (process, director):
        assert director.ask("nodejs").status_code == 200
        assert director.ask("max", "fail-500").status_code == 500
        with post_and_wait(director):
            process.kill()
            process.wait()

    with run(path) as (_, director):
        record = director.control("GET", "record").json()
    first, second, third = record["posts"]
    assert [post["answered"] for post in (first, second, third)] == [200, 500, None]
    assert [made["post"] for made in record["workstations"]] == [1, 3]
    assert second["made"] is None
    assert third["made"] == record["workstations"][1]["uid"]
