"""Connections into workstations: which are open, at which addresses, and until when."""

import itertools
import json
import re
import secrets
import threading
import uuid
from collections.abc import Iterator, Mapping
from functools import partial

from portal.sandbox import items, paging, sockets
from portal.sandbox.calls import RefusalError
from portal.sandbox.screen import Screen
from portal.sandbox.store import Store

LOGS, BROWSERS = "/v1/log/sse/", "/v1/cdp/"
# By the ends of the calls' paths: the software that each needs, and how the path of its address begins.
CONNECTIONS: Mapping[str, tuple[str, str]] = {
    "vncwss": ("desktop", sockets.DESKTOP),
    "vnc": ("desktop", ""),
    "sandbox/pty": ("terminal", sockets.TERMINAL),
    "browser/cdp": ("chromium", BROWSERS),
    "log/stream": ("", LOGS),
}
_TOKEN = re.compile(r"(/v1/(?:vnc|pty|cdp|log/sse)/).+")


def hide_token(path: str) -> str:
    return _TOKEN.sub(r"\1*", path)


class Connections:
    """The connections into all workstations. They listen as soon as they are made, and answer once started."""

    def __init__(self, *, store: Store, url: str, host: str, port: int, log_every: float) -> None:
        self._store, self._url, self._log_every = store, url, log_every
        self._lock = threading.Lock()
        self._machines: dict[str, sockets.Machine] = {}  # by the paths that were given out
        self._stopping = threading.Event()
        self._sockets = sockets.WebSockets(host=host, port=port, find=self.find)

    def start(self) -> None:
        self._sockets.start()

    def stop(self) -> None:
        self._stopping.set()
        self._sockets.stop()

    def open(self, way: str, *, uid: str, type: str) -> str:
        if self._stopping.is_set():
            raise RefusalError.make(503)
        _, start = CONNECTIONS[way]
        if not start:
            return self._sockets.place  # our own port, where nobody speaks VNC: another might be somebody's
        place = f"ws://{self._sockets.place}" if start in (sockets.DESKTOP, sockets.TERMINAL) else self._url
        path = start + secrets.token_urlsafe(16)
        with self._lock:
            live = {other: machine for other, machine in self._machines.items() if machine.is_live()}
            known = next((machine for machine in live.values() if machine.uid == uid), None)
            self._machines = {**live, path: known or self._make_machine(uid, type)}
        return place + path

    def find(self, path: str) -> sockets.Machine | None:
        """The machine to which a path leads that was given out, while it lives."""
        machine = self._machines.get(path)
        return machine if machine and machine.is_live() else None

    def _make_machine(self, uid: str, type: str) -> sockets.Machine:
        return sockets.Machine(
            uid=uid,
            name=f"{type} {uid}",
            screen=Screen(title=f"{type} {uid}"),
            tell_time=self._store.tell_time,
            list_files=partial(self._store.list_files, uid),
            is_live=lambda: not self._stopping.is_set() and self._store.find_type(uid) is not None,
        )

    def stream_log(self, machine: sockets.Machine) -> Iterator[bytes]:
        for number, (kind, level) in enumerate(itertools.cycle(items.LOGS), 1):
            entry = {
                "id": str(uuid.uuid4()),
                "type": kind,
                "level": level,
                "createdAt": paging.write_time(machine.tell_time()),
                "message": f"Entry {number} of {machine.name}: all is well with its {kind}.",
            }
            yield f"id: {number}\ndata: {json.dumps(entry)}\n\n".encode()
            if self._stopping.wait(self._log_every) or not machine.is_live():
                return
