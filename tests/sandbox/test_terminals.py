"""A workstation's terminal."""

from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from portal.sandbox import items
from tests.sandbox.caller import Caller


@pytest.fixture
def uid(alice: Caller) -> str:
    return alice.make("python")


@pytest.fixture
def terminal(alice: Caller, uid: str) -> Iterator[ClientConnection]:
    with connect(alice.open(uid, "sandbox/pty")) as connection:
        assert str(connection.recv(30, decode=True)).endswith(f"agent@{uid}:~$ ")
        yield connection


@pytest.fixture
def run(terminal: ClientConnection, uid: str) -> Callable[[str], str]:
    """Type a command, and return what it shows between its echo and the next prompt."""

    def type_line(line: str) -> str:
        terminal.send(line + "\r")
        shown = terminal.recv(30)
        assert isinstance(shown, bytes)
        return shown.decode().removeprefix(f"{line}\r\n").removesuffix(f"agent@{uid}:~$ ")

    return type_line


def test_it_echoes_what_is_typed_as_text_or_as_bytes(terminal):
    for message in ("e", b"c", "é".encode()[:1], "é".encode()[1:] + b"!"):
        terminal.send(message)
    assert b"".join(terminal.recv(30) for _ in range(3)) == "ecé!".encode()


def test_it_knows_a_handful_of_commands(run):
    for line, shown in {
        "whoami": "agent\r\n",
        "echo one  two": "one  two\r\n",
        "date": "Tue 14 Nov 2023 22:13:20 UTC\r\n",
        "clear": "\x1b[2J\x1b[H",
        "stty cols 80 rows 24": "",
        "rm -rf /": "rm: command not found\r\n",
        "": "",
        "help": "help echo ls date whoami clear stty exit\r\n",
    }.items():
        assert run(line) == shown


def test_ls_shows_the_files_of_the_workspace_as_they_come(run, clock):
    assert run("ls") == ""
    clock.move(100)
    assert [line.split()[1] for line in run("ls").splitlines()] == list(items.FILES["python"])


@pytest.mark.parametrize("typed", ["exit\r", "\x04", b"exit\nwhoami\n"])
def test_it_can_be_left(terminal, typed):
    terminal.send(typed)
    assert terminal.recv(30).decode().endswith("\r\nlogout\r\n")
    with pytest.raises(ConnectionClosedOK):
        terminal.recv(30)
