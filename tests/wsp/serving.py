"""A server that answers as it is told, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Answer(NamedTuple):
    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    text: str | None = None  # instead of a document


BROKEN = Answer(status=0)  # no answer: the connection ends


class Told:
    """`with Told(first, second, ...) as server`: the last answer is for all that follows. Or a function answers."""

    def __init__(self, *answers: Answer, by: Callable[[Asked], Answer] | None = None) -> None:
        self.asked = list[Asked]()
        self._answers, self._by, self._lock = list(answers), by, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def respond(handler) -> None:  # noqa: N805
                body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
                is_form = handler.headers.get("Content-Type", "").endswith("form-urlencoded")
                document = dict(parse_qsl(body.decode())) if is_form else json.loads(body) if body else None
                self._play(handler, Asked(handler.command, handler.path, dict(handler.headers), document))

            do_GET = do_POST = do_DELETE = respond  # noqa: N815

            def log_message(handler, *_: object) -> None:  # noqa: N805
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "Told":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _play(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)
            if self._by:
                answer = self._by(asked)
            else:
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is BROKEN:
            handler.close_connection = True
            return
        body = (answer.text if answer.text is not None else json.dumps(answer.document)).encode()
        kind = "text/html" if answer.text is not None else "application/json"
        handler.send_response(answer.status)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(body))} | dict(answer.headers)).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def refuse(status: int, message: str, **headers: str) -> Answer:
    """As the portal does."""
    document = {"error": message.partition(" - ")[0], "message": message}
    return Answer(status, document, {name.replace("_", "-"): value for name, value in headers.items()})
