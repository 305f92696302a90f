"""What a real workstation has behind its connections: an X server with a desktop, a shell, and a browser."""

import os
import pty
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from tests import ports
from tests.e2e.conftest import ARGUMENTS, HEADLESS_SHELL


class Relay:
    """A WebSocket server whose connections can be cut."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.sockets: list[ServerConnection] = []

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/secret-token"

    def cut(self) -> None:
        """End what is open, as a network does."""
        for one in self.sockets:
            with suppress(OSError):
                one.socket.shutdown(socket.SHUT_RDWR)
        self.sockets.clear()


@contextmanager
def _serve(
    handle: Callable[[ServerConnection], None], *, subprotocols: list[Subprotocol] | None = None
) -> Iterator[Relay]:
    def keep(connection: ServerConnection) -> None:
        relay.sockets.append(connection)
        handle(connection)

    with serve(keep, "127.0.0.1", 0, subprotocols=subprotocols or None, compression=None) as server:
        relay = Relay(server)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield relay
        relay.cut()
        server.shutdown()
        thread.join()


@contextmanager
def run_desktop(folder: Path) -> Iterator[tuple[Relay, Path]]:
    """Xvnc in one colour with a window that writes down each key; and the file that has them."""
    port, keys = ports.find_port(), folder / "keys.txt"
    options = ["-SecurityTypes", "None", "-localhost", "yes", "-rfbport", str(port), "-geometry", "1280x720"]
    with ExitStack() as stack, keys.open("wb") as file:
        told, tells = os.pipe()
        display = subprocess.Popen(
            ["Xvnc", "-displayfd", str(tells), *options], pass_fds=[tells], stderr=subprocess.DEVNULL
        )
        stack.callback(_end, display)
        os.close(tells)
        with os.fdopen(told, "rb") as numbers:  # the one that it has taken, once it can be used
            environment = os.environ | {"DISPLAY": f":{numbers.readline().decode().strip()}"}
        _wait_for_port(port, of=display)
        subprocess.run(["xsetroot", "-solid", "#c02040"], env=environment, check=True)
        stack.callback(_end, subprocess.Popen(["xev", "-event", "keyboard"], env=environment, stdout=file))
        relay = partial(_relay_to_vnc, port)
        yield stack.enter_context(_serve(relay, subprotocols=[Subprotocol("binary")])), keys


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _wait_for_port(port: int, *, of: "subprocess.Popen[bytes]") -> None:
    while of.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
    raise RuntimeError("the process that was to listen has ended")


def _relay_to_vnc(port: int, connection: ServerConnection) -> None:
    with socket.create_connection(("127.0.0.1", port)) as desktop:
        _pass_on(connection, read=lambda: desktop.recv(65536), write=desktop.sendall)
        with suppress(OSError):
            desktop.shutdown(socket.SHUT_RDWR)


@contextmanager
def run_locked_desktop() -> Iterator[Relay]:
    """What an RFB server says first that wants VNC's own password."""

    def handle(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for said in (b"RFB 003.008\n", b"\x01\x02", bytes(16)):  # its version, one kind of security, a challenge
                connection.send(said)
                connection.recv()

    with _serve(handle, subprotocols=[Subprotocol("binary")]) as relay:
        yield relay


@contextmanager
def run_shell(folder: Path) -> Iterator[Relay]:
    """A shell in a pseudo terminal for each connection."""
    with _serve(lambda connection: _relay_to_shell(connection, folder)) as relay:
        yield relay


def _relay_to_shell(connection: ServerConnection, folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = ["/bin/bash", "--norc", "-i"]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PS1": "shell> "}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as shell:
        os.close(theirs)
        _pass_on(connection, read=lambda: os.read(ours, 65536), write=lambda data: os.write(ours, data))
        shell.kill()
    os.close(ours)


@contextmanager
def run_browser(folder: Path) -> Iterator[str]:
    """A Chromium that can be debugged, and the address for that, which nobody can guess."""
    options = ["--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    command = [HEADLESS_SHELL, *ARGUMENTS, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as browser:
        assert browser.stderr is not None
        try:
            found = (re.match(r"DevTools listening on (\S+)", line) for line in browser.stderr)
            yield next(match for match in found if match)[1]
        finally:
            os.killpg(browser.pid, signal.SIGKILL)


def _pass_on(connection: ServerConnection, *, read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
    """Both ways, until one of them has ended."""

    def show() -> None:
        with suppress(OSError, ConnectionClosed):
            while data := read():
                connection.send(data)
        connection.close()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    with suppress(OSError, ConnectionClosed):
        for message in connection:
            write(message.encode() if isinstance(message, str) else message)
