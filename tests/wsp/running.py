"""`wsp` as people and scripts run it: in this process, as a process, and in a terminal of its own."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60.0  # seconds
# The terminal is to be the one that controls the process: it sends the signals.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def make_environment(folder: Path, **values: str) -> dict[str, str]:
    """Of a process that is signed in nowhere, unless the values say so."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "wsp"), "XDG_CONFIG_HOME": str(folder)} | values


def make_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "wsp", *words]


def start(*words: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(make_command(*words), env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


class Window:
    """A terminal with a `wsp` in it. What it shows is read by `await_text`."""

    def __init__(self, *words: str, environment: dict[str, str], columns: int = 100, lines: int = 30) -> None:
        self._screen, keyboard = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(keyboard)
        command = [sys.executable, "-c", _TAKE, *make_command(*words)]
        environment = environment | {"TERM": "xterm"}
        self.process = subprocess.Popen(
            command, env=environment, stdin=keyboard, stdout=keyboard, stderr=keyboard, start_new_session=True
        )
        self._keyboard = keyboard
        self.shown = ""

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        os.close(self._screen)
        os.close(self._keyboard)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def await_text(self, text: str, *, times: int = 1) -> str:
        while self.shown.count(text) < times:
            ready, _, _ = select.select([self._screen], [], [], PATIENCE)
            assert ready, f"{text!r} never came:\n{self.shown}"
            self.shown += os.read(self._screen, 65536).decode(errors="replace")
        return self.shown

    def read_modes(self) -> list[object]:
        return list(termios.tcgetattr(self._keyboard))

    def wait(self) -> int:
        return self.process.wait(PATIENCE)
