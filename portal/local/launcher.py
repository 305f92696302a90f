"""Starts the portal's processes on one machine and ends them in order. Standard library only.

It is there for as long as the portal: `hand_over` lets it take the place of the process that prepared everything, with
all that this one had loaded.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

_LOOK_EVERY = 0.2  # seconds
_START_WITHIN = 30.0  # seconds
_SHORT_LIFE = 10.0  # seconds; a process that dies sooner, again and again, will not get better by starting it
_MOST_SHORT_LIVES = 3


class CannotStart(Exception):
    """A process did not come up; the message is one line for the operator."""


@dataclass(kw_only=True)
class Part:
    """One process. `port` of `host`, where given, answers once it is up; it may take `stop_within` seconds to end.

    With a `nonce` it is up only when what answers there knows it: by then another process may have taken the port.
    One with a `listener`, the descriptor of a socket that it takes over, starts when somebody first connects to that.
    """

    name: str
    command: list[str]
    port: int | None = None
    host: str = "127.0.0.1"
    nonce: str = ""
    listener: int = 0
    stop_within: float = 30.0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    short_lives: int = 0

    def start(self, *, folder: Path) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only the launcher, which ends all in order."""
        own = os.environ | ({"SANDBOX_NONCE": self.nonce} if self.nonce else {})
        kept = (self.listener,) if self.listener else ()
        self.process = subprocess.Popen(  # noqa: S603 (our own words)
            self.command, cwd=folder, env=own, start_new_session=True, pass_fds=kept
        )
        self.started_at = time.monotonic()

    def is_up(self) -> bool:
        return self.port is None or is_port_answering(self.port, host=self.host, nonce=self.nonce)

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def explain(self, what: str) -> str:
        if self.port is not None and self.has_died() and not is_port_free(self.port, host=self.host):
            return f"{self.name} {what}. {describe_taken(self.port)}"
        return f"{self.name} {what}; its own lines above say why."

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for one that does not end in time."""
        if self.process is None:
            return
        if not self.has_died():
            self.process.terminate()
        try:
            self.process.wait(timeout=self.stop_within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Launcher:
    """Runs parts until a signal; starts them in the order given and ends them in the reverse order."""

    def __init__(self, *, parts: list[Part], folder: Path) -> None:
        self._parts, self._folder = parts, folder
        self._stopping = False  # not an Event: its lock could be held by the very thread that a signal interrupts
        self._parent = os.getppid()

    def catch_signals(self) -> None:
        """Let Ctrl-C, SIGTERM and a closed terminal end all parts; a second one ends them at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def start(self) -> None:
        """Start every part without a listener and wait until it is up. Raises CannotStart; then nothing is left
        running."""
        try:
            for part in self._parts:
                if not part.listener:
                    part.start(folder=self._folder)
                    self._await(part)
        except CannotStart:
            self.stop()
            raise

    def run(self) -> None:
        """Watch the parts until asked to stop; one that dies is started again. Raises CannotStart if it cannot live."""
        # Without the process that started it, nobody could end it by Ctrl-C.
        while not self._stopping and os.getppid() == self._parent:
            for part in self._parts:
                if part.has_died() and not self._stopping:
                    self._start_again(part)
            waiting = {part.listener: part for part in self._parts if part.listener and part.process is None}
            for listener in select.select(waiting, [], [], _LOOK_EVERY)[0]:
                waiting[listener].start(folder=self._folder)

    def stop(self) -> None:
        """End all parts, the last first; each may finish what it has begun."""
        for part in reversed(self._parts):
            part.stop()

    def _await(self, part: Part) -> None:
        end = time.monotonic() + _START_WITHIN
        while not part.is_up():
            if part.has_died() or time.monotonic() > end:
                raise CannotStart(part.explain("did not start"))
            if self._stopping:
                return
            time.sleep(_LOOK_EVERY / 4)

    def _start_again(self, part: Part) -> None:
        part.short_lives = part.short_lives + 1 if time.monotonic() - part.started_at < _SHORT_LIFE else 0
        if part.short_lives >= _MOST_SHORT_LIVES:
            raise CannotStart(part.explain("ends again and again"))
        _say(f"{part.name} has ended unexpectedly and is started again.")
        part.start(folder=self._folder)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            for part in self._parts:
                part.stop_within = 0.0
                if part.process is not None and not part.has_died():
                    part.process.kill()
        self._stopping = True


def hand_over(*, parts: list[Part], folder: Path, greeting: str) -> NoReturn:
    """Become a process that runs the parts and does nothing else. Files that are to stay open must be inheritable."""
    # Through a pipe: a command line is for everybody to read, and the greeting has a link that is not.
    read, write = os.pipe()
    os.write(
        write, json.dumps({"parts": [*map(vars, parts)], "folder": os.fspath(folder), "greeting": greeting}).encode()
    )
    os.close(write)
    os.set_inheritable(read, True)
    os.chdir(folder)
    os.execv(sys.executable, [sys.executable, "-m", "portal.local.launcher", str(read)])  # noqa: S606 (our own words)


def main() -> None:
    """Start the processes of the plan that stands in the inherited pipe, and run until one or a signal ends them."""
    with open(int(sys.argv[1])) as pipe:  # noqa: PTH123 (a number is no path)
        plan = json.load(pipe)
    launcher = Launcher(parts=[Part(**part) for part in plan["parts"]], folder=Path(plan["folder"]))
    launcher.catch_signals()
    try:
        launcher.start()
        _say(plan["greeting"])
        launcher.run()
    except CannotStart as error:
        raise SystemExit(f"portal: {error}") from None
    finally:
        _say("Stopping: web, then worker (which finishes its calls), then sandbox.")
        launcher.stop()


def _say(words: str) -> None:
    with suppress(OSError):  # whoever read it may be gone: a closed terminal, or the next command of a pipe
        print(words, flush=True)  # noqa: T201


def describe_taken(port: int, *, setting: str = "PORT") -> str:
    return f"Port {port} is taken. Stop what uses it, or choose another: {setting}=... make run"


def is_port_answering(port: int, *, host: str = "127.0.0.1", nonce: str = "") -> bool:
    """Whether something on this machine accepts connections there, and names the nonce in the head of an answer."""
    with suppress(OSError), socket.create_connection((host.strip("[]"), port), timeout=1.0) as probe:
        if nonce:
            probe.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        return not nonce or nonce.encode() in probe.recv(4096)
    return False


def open_port(port: int, *, host: str) -> socket.socket:
    """Listen there. Raises OSError, where something else does for one."""
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family)


def is_port_free(port: int, *, host: str = "127.0.0.1") -> bool:
    try:
        open_port(port, host=host).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
