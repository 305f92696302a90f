"""Connections into workstations: which are open, at which addresses, and the WebSockets behind them."""

import itertools
import json
import logging
import re
import secrets
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from portal.sandbox import items, paging, rfb
from portal.sandbox.calls import RefusalError
from portal.sandbox.store import Store
from portal.sandbox.terminal import Terminal

DESKTOP, TERMINAL = "/v1/vnc/", "/v1/pty/"
LOGS, BROWSERS = "/v1/log/sse/", "/v1/cdp/"
# By the ends of the calls' paths: the software that each needs, and how the path of its address begins.
CONNECTIONS: Mapping[str, tuple[str, str]] = {
    "vncwss": ("desktop", DESKTOP),
    "vnc": ("desktop", ""),
    "sandbox/pty": ("terminal", TERMINAL),
    "browser/cdp": ("chromium", BROWSERS),
    "log/stream": ("", LOGS),
}
_TOKEN = re.compile(r"(/v1/(?:vnc|pty|cdp|log/sse)/).+")
_BINARY = Subprotocol("binary")
_ENDED = "The workstation has ended."
_LOOK_EVERY = 0.25  # seconds between looks whether it has

logger = logging.getLogger("portal.sandbox")
# In more detail the library's own lines show the addresses, which are secrets. A logger that nobody else knows stays at
# its level, whatever is configured later.
_library_logger = logging.Logger("portal.sandbox.websockets", logging.WARNING)
_library_logger.parent = logger


def hide_token(path: str) -> str:
    return _TOKEN.sub(r"\1*", path)


class Machine(NamedTuple):
    """A workstation that somebody is connected to."""

    uid: str
    name: str


class Connections:
    """The connections into all workstations. They listen as soon as they are made, and answer once started."""

    def __init__(self, *, store: Store, url: str, host: str, port: int, log_every: float) -> None:
        self._store, self._url, self._log_every = store, url, log_every
        self._lock = threading.Lock()
        self._machines: dict[str, Machine] = {}  # by the paths that were given out
        self._stopping = threading.Event()
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
        self._place = f"{f'[{host}]' if ':' in host else host}:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="sandbox-websockets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is None:
            # The library gives back what it holds only after it has served.
            self._thread.start()
        self._server.shutdown(reason=_ENDED)
        self._thread.join()

    def open(self, way: str, *, uid: str, type: str) -> str:
        if self._stopping.is_set():
            raise RefusalError(503)
        _, start = CONNECTIONS[way]
        if not start:
            return self._place  # our own port, where nobody speaks VNC: another might be somebody's
        place = f"ws://{self._place}" if start in (DESKTOP, TERMINAL) else self._url
        path = start + secrets.token_urlsafe(16)
        with self._lock:
            live = {other: machine for other, machine in self._machines.items() if self._is_live(machine)}
            self._machines = {**live, path: Machine(uid, f"{type} {uid}")}
        return place + path

    def find(self, path: str) -> Machine | None:
        """The machine to which a path leads that was given out, while it lives."""
        machine = self._machines.get(path)
        return machine if machine and self._is_live(machine) else None

    def _is_live(self, machine: Machine) -> bool:
        return not self._stopping.is_set() and self._store.find_type(machine.uid) is not None

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        is_ours = request.path.startswith((DESKTOP, TERMINAL)) and self.find(request.path) is not None
        return None if is_ours else connection.respond(404, "There is nothing at this address.\n")

    def _serve(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        if (machine := self.find(path)) is None:
            return
        messages = self._read_messages(connection, machine)
        with suppress(ConnectionClosed):
            if path.startswith(DESKTOP):
                rfb.Session(connection.send, messages, name=machine.name).run()
                return
            list_files = partial(self._store.list_files, machine.uid)
            terminal = Terminal(uid=machine.uid, tell_time=self._store.tell_time, list_files=list_files)
            connection.send(terminal.greet().encode())
            for message in messages:
                if shown := terminal.read(message):
                    connection.send(shown.encode())
                if terminal.is_over:
                    return

    def _read_messages(self, connection: ServerConnection, machine: Machine) -> Iterator[bytes]:
        """What the client sends while the workstation lives. That its time is over nobody says: it is looked for."""
        while self._is_live(machine):
            with suppress(TimeoutError):
                yield connection.recv(_LOOK_EVERY, decode=False)
        connection.close(CloseCode.GOING_AWAY, _ENDED)

    def stream_log(self, machine: Machine) -> Iterator[bytes]:
        for number, (kind, level) in enumerate(itertools.cycle(items.LOGS), 1):
            entry = {
                "id": str(uuid.uuid4()),
                "type": kind,
                "level": level,
                "createdAt": paging.write_time(self._store.tell_time()),
                "message": f"Entry {number} of {machine.name}: all is well with its {kind}.",
            }
            yield f"id: {number}\ndata: {json.dumps(entry)}\n\n".encode()
            if self._stopping.wait(self._log_every) or not self._is_live(machine):
                return
