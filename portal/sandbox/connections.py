"""Connections into workstations: which are open, at which addresses, and until when."""

import itertools
import json
import re
import secrets
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from portal.sandbox import items, paging, sockets
from portal.sandbox.calls import RefusalError
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
# Workstations end by a release, a reset, or by the clock; only of the first two anybody says so.
_LOOK_EVERY = 0.25
_TOKEN = re.compile(r"(/v1/(?:vnc|pty|cdp|log/sse)/).+")


def hide_token(path: str) -> str:
    return _TOKEN.sub(r"\1*", path)


class Connections:
    """The connections into all workstations. They listen as soon as they are made, and answer once started."""

    def __init__(self, *, store: Store, url: str, host: str, port: int, log_every: float) -> None:
        self._store, self._url, self._log_every = store, url, log_every
        self._lock = threading.Lock()
        self._machines: dict[str, sockets.Machine] = {}
        self._paths: dict[str, sockets.Machine] = {}
        self._stirred = threading.Event()
        self._is_stopped = False
        self._sockets = sockets.WebSockets(host=host, port=port, find=self.find)
        self._watcher = threading.Thread(target=self._watch, name="sandbox-connections", daemon=True)

    def start(self) -> None:
        self._sockets.start()
        self._watcher.start()

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
        if self._watcher.ident is not None:
            self._stirred.set()
            self._watcher.join()
        self._end(list(self._machines.values()))
        self._sockets.stop()

    def look(self) -> None:
        """Close at once what leads into workstations that have ended."""
        self._stirred.set()

    # --- Opening ---

    def open(self, way: str, *, uid: str, type: str) -> str:
        machine = self._find_machine(uid, type)
        _, start = CONNECTIONS[way]
        if not start:
            return self._sockets.place  # our own port, where nobody speaks VNC: another might be somebody's
        place = f"ws://{self._sockets.place}" if start in (sockets.DESKTOP, sockets.TERMINAL) else self._url
        return place + self._add_path(start, machine)

    def find(self, path: str) -> sockets.Machine | None:
        """The machine to which a path leads that was given out, while it lives."""
        with self._lock:
            machine = self._paths.get(path)
        return machine if machine and self._store.find_type(machine.uid) is not None else None

    def _find_machine(self, uid: str, type: str) -> sockets.Machine:
        with self._lock:
            if self._is_stopped:
                raise RefusalError.make(503)
            if uid not in self._machines:
                files = partial(self._store.list_files, uid)
                made = sockets.Machine(uid=uid, type=type, tell_time=self._store.tell_time, list_files=files)
                self._machines[uid] = made
            return self._machines[uid]

    def _add_path(self, start: str, machine: sockets.Machine) -> str:
        path = start + secrets.token_urlsafe(16)
        with self._lock:
            self._paths[path] = machine
        return path

    # --- The log stream ---

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
            if machine.ended.wait(self._log_every):
                return

    # --- Closing ---

    def _watch(self) -> None:
        while not self._is_stopped:
            with self._lock:
                machines = list(self._machines.values())
            self._end([machine for machine in machines if self._store.find_type(machine.uid) is None])
            self._stirred.wait(_LOOK_EVERY)
            self._stirred.clear()

    def _end(self, machines: list[sockets.Machine]) -> None:
        if not machines:
            return
        with self._lock:
            for machine in machines:
                del self._machines[machine.uid]
            self._paths = {path: machine for path, machine in self._paths.items() if machine not in machines}
        closers = [close for machine in machines for close in machine.end()]
        # Side by side: a client that does not answer keeps nobody waiting but itself.
        with ThreadPoolExecutor(max_workers=max(len(closers), 1)) as pool:
            for close in closers:
                pool.submit(close)
