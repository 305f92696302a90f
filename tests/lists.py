"""A provider that has nothing but lists: as long, as large and as odd as a test wants them, over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

type Entry = Mapping[str, object]


class Lists:
    """What it shows. `active` and `history` are entries; `single` answers to GETs of one, by id (else 422).

    `refuse` is called with the number of the call before it is answered, and may give a status and headers instead.
    With `is_endless` every page of the history names another one. No page has more than `most` entries. A POST makes a
    workstation that no list shows.
    """

    def __init__(self) -> None:
        self.active: Sequence[Entry] = []
        self.history: Sequence[Entry] = []
        self.single: dict[str, tuple[int, Entry]] = {}
        self.is_endless = False
        self.most = 1_000
        self.refuse: Callable[[int], tuple[int, dict[str, str]] | None] = lambda _: None
        self.calls: list[str] = []
        self.base_url = ""

    def answer(self, target: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers and document for a GET of this target."""
        self.calls.append(target)
        if (refusal := self.refuse(len(self.calls))) is not None:
            return *refusal, {"error": "Refused", "message": "As the test wants it."}
        parts = urlsplit(target)
        name = parts.path.removeprefix("/v1/workstations").strip("/")
        if name not in ("", "history"):
            status, entry = self.single.get(name, (422, {"error": "Not Found", "message": "No such workstation."}))
            return status, {}, entry
        return 200, {}, self._page(name == "history", parse_qs(parts.query))

    def make(self) -> Entry:
        """A workstation, which a GET of it shows."""
        uid = f"made-{len(self.single)}"
        self.single[uid] = (200, {"id": uid, "type": "python", "status": "active"})
        return self.single[uid][1]

    def _page(self, is_history: bool, query: Mapping[str, list[str]]) -> dict[str, object]:
        entries = self.history if is_history else self.active
        start, size = int(query.get("cursor", ["0"])[0]), min(int(query.get("limit", ["20"])[0]), self.most)
        is_last = start + size >= len(entries) and not (is_history and self.is_endless)
        shown = entries[start : start + size]
        return {"object": "list", "data": shown, "next_cursor": None if is_last else str(start + size)}


@contextmanager
def serve_lists() -> Iterator[Lists]:
    lists = Lists()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*lists.answer(self.path))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(200, {}, lists.make())

        def _send(self, status: int, headers: Mapping[str, str], document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    lists.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield lists
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
