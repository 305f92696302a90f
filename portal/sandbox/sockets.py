"""The sockets behind the connections: a WebSocket server for all workstations, and the machines to which it leads."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from portal.sandbox import rfb
from portal.sandbox.screen import Screen
from portal.sandbox.terminal import Terminal

DESKTOP, TERMINAL = "/v1/vnc/", "/v1/pty/"
_BINARY = Subprotocol("binary")
_GOING_AWAY = 1001

logger = logging.getLogger("portal.sandbox")
# In more detail the library's own lines show the addresses, which are secrets. A logger that nobody else knows stays at
# its level, whatever is configured later.
_library_logger = logging.Logger("portal.sandbox.websockets", logging.WARNING)
_library_logger.parent = logger


class Machine:
    """What is inside a workstation while somebody is connected to it, and all that has to end with it."""

    def __init__(
        self, *, uid: str, type: str, tell_time: Callable[[], float], list_files: Callable[[], list[tuple[str, int]]]
    ) -> None:
        self.uid = uid
        self.tell_time = tell_time
        self.list_files = list_files
        self.name = f"{type} {uid}"
        self.screen = Screen(title=self.name)
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._closers: list[Callable[[], None]] = []

    def end(self) -> list[Callable[[], None]]:
        """It is no more; returns what is to be called to close all that is open."""
        with self._lock:
            self.ended.set()
            return self._closers

    @contextmanager
    def attach(self, close: Callable[[], None]) -> Iterator[None]:
        """Have it closed if the workstation ends before the block does."""
        with self._lock:
            self._closers = [*self._closers, close]
            is_late = self.ended.is_set()
        if is_late:
            close()
        try:
            yield
        finally:
            with self._lock:
                self._closers = [other for other in self._closers if other != close]


def choose_family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class WebSockets:
    """Desktops and terminals: `find` gives the machine to which a path leads."""

    def __init__(self, *, host: str, port: int, find: Callable[[str], Machine | None]) -> None:
        self._find = find
        self._server = serve(
            self._serve,
            host,
            port,
            family=choose_family(host),
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
        self._server.shutdown()
        self._thread.join()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        is_ours = request.path.startswith((DESKTOP, TERMINAL)) and self._find(request.path) is not None
        return None if is_ours else connection.respond(404, "There is nothing at this address.\n")

    def _serve(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        machine = self._find(path)
        if machine is None:
            return
        close = partial(connection.close, _GOING_AWAY, "The workstation has ended.")
        with machine.attach(close):
            if path.startswith(DESKTOP):
                rfb.Session(connection, machine.screen, name=machine.name).run()
            else:
                _talk(connection, machine)


def _talk(connection: ServerConnection, machine: Machine) -> None:
    terminal = Terminal(uid=machine.uid, tell_time=machine.tell_time, list_files=machine.list_files)
    with suppress(ConnectionClosed):
        connection.send(terminal.greet().encode())
        for message in connection:
            if shown := terminal.read(message):
                connection.send(shown.encode())
            if terminal.is_over:
                return
