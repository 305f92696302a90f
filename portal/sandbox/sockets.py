"""The sockets behind the connections: a WebSocket server for all workstations, and the machines to which it leads."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from portal.sandbox import rfb
from portal.sandbox.screen import Screen
from portal.sandbox.terminal import Terminal

DESKTOP, TERMINAL = "/v1/vnc/", "/v1/pty/"
_BINARY = Subprotocol("binary")
_ENDED = "The workstation has ended."
_LOOK_EVERY = 0.25  # seconds between looks whether it has

logger = logging.getLogger("portal.sandbox")
# In more detail the library's own lines show the addresses, which are secrets. A logger that nobody else knows stays at
# its level, whatever is configured later.
_library_logger = logging.Logger("portal.sandbox.websockets", logging.WARNING)
_library_logger.parent = logger


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What is inside a workstation that somebody is connected to."""

    uid: str
    name: str
    screen: Screen
    tell_time: Callable[[], float]
    list_files: Callable[[], list[tuple[str, int]]]
    is_live: Callable[[], bool]


class WebSockets:
    """Desktops and terminals: `find` gives the machine to which a path leads."""

    def __init__(self, *, host: str, port: int, find: Callable[[str], Machine | None]) -> None:
        self._find = find
        self._server = serve(
            self._serve,
            host,
            port,
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            select_subprotocol=lambda _, offered: _BINARY if _BINARY in offered else None,
            process_request=self._check,
            compression=None,
            ping_interval=None,
            # A client that does not answer holds up the end of the sandbox for so long.
            open_timeout=3,
            close_timeout=1,
            logger=_library_logger,
        )
        self.place = f"{f'[{host}]' if ':' in host else host}:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="sandbox-websockets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.ident is None:
            # The library gives back what it holds only after it has served.
            self._thread.start()
        self._server.shutdown(reason=_ENDED)
        self._thread.join()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        is_ours = request.path.startswith((DESKTOP, TERMINAL)) and self._find(request.path) is not None
        return None if is_ours else connection.respond(404, "There is nothing at this address.\n")

    def _serve(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        machine = self._find(path)
        if machine is None:
            return
        with suppress(ConnectionClosed):
            if path.startswith(DESKTOP):
                messages = _read_messages(connection, machine, decode=False)
                rfb.Session(connection, messages, machine.screen, name=machine.name).run()
            else:
                _talk(connection, machine)


def _read_messages(connection: ServerConnection, machine: Machine, *, decode: bool | None = None) -> Iterator[Any]:
    """What the client sends while the workstation lives. That its time is over nobody says: it is looked for."""
    while machine.is_live():
        with suppress(TimeoutError):
            yield connection.recv(_LOOK_EVERY, decode)
    connection.close(CloseCode.GOING_AWAY, _ENDED)


def _talk(connection: ServerConnection, machine: Machine) -> None:
    terminal = Terminal(uid=machine.uid, tell_time=machine.tell_time, list_files=machine.list_files)
    connection.send(terminal.greet().encode())
    for message in _read_messages(connection, machine):
        if shown := terminal.read(message):
            connection.send(shown.encode())
        if terminal.is_over:
            return
