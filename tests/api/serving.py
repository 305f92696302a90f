"""The API's application behind gunicorn's own HTTP, in a thread of the test, and programs that ask it."""

import asyncio
import socket
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import SimpleNamespace
from typing import Any

import requests
from django.db import connections
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.config import Config

from portal import models
from portal.api import application
from portal.web import logs
from tests import factories
from tests.worker.running import await_that

PATIENCE = 60.0  # seconds


class Server:
    """`with Server() as server`: from there on it answers."""

    def __init__(self) -> None:
        self.application = application.Application()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._socket.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._loop, self._started = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Server":
        self._thread.start()
        assert self._started.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        _close_connections(self.application.pool, application.THREADS)
        _close_connections(self.application.aside, application.ASIDE)
        _close_connections(self.application.waiter.thread, 1)
        self.application.relaying.shutdown()

    def stop(self) -> None:
        """As gunicorn's worker does at SIGTERM."""
        self._loop.call_soon_threadsafe(self.application.waiter.stop)

    def await_waiting(self, count: int) -> None:
        await_that(lambda: len(self.application.waiter.waiting) == count)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        config = Config()
        worker = SimpleNamespace(cfg=config, log=logs.Logger(config), asgi=self.application, loop=self._loop)
        worker.nr_conns = worker.nr = 0
        worker.max_requests, worker.alive = sys.maxsize, True
        server = await self._loop.create_server(lambda: ASGIProtocol(worker), sock=self._socket)
        self._started.set()
        await self._ended.wait()
        server.close()
        self.application.waiter.stop()
        while self.application.serving:
            await asyncio.wait(self.application.serving)
        kept = asyncio.all_tasks() - {asyncio.current_task()}  # connections of programs that have said nothing more
        for task in kept:
            task.cancel()
        await asyncio.gather(*kept, return_exceptions=True)


def _close_connections(pool: ThreadPoolExecutor, size: int) -> None:
    """Of every thread of the pool."""
    barrier = threading.Barrier(size)

    def close() -> None:
        barrier.wait(PATIENCE)
        connections.close_all()

    for done in [pool.submit(close) for _ in range(size)]:
        done.result(PATIENCE)
    pool.shutdown()


class Program:
    """A program with a token, or another key."""

    def __init__(self, server: Server, secret: str) -> None:
        self.server, self.secret = server, secret
        self._session, self._threads = requests.Session(), ThreadPoolExecutor()
        self._session.trust_env = False

    def call(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        root: str = "/v1",
        stream: bool = False,
        **options: Any,
    ) -> requests.Response:
        given = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        url = f"http://127.0.0.1:{self.server.port}{root}{path}"
        sent = requests.Request(method, url, headers=given | (headers or {}), **options)
        # A connection of its own: several threads may call.
        with requests.Session() as session:
            session.trust_env = False
            return session.send(sent.prepare(), stream=stream, timeout=PATIENCE, allow_redirects=False)

    def post(self, key: str | None = None, **body: object) -> requests.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.call("POST", "/workstations", headers, json={"type": "python"} | body)

    def begin(self, method: str, path: str, **options: Any) -> Future[requests.Response]:
        return self._threads.submit(self.call, method, path, **options)

    def begin_post(self, key: str | None = None, **body: object) -> Future[requests.Response]:
        """A POST that waits from here on."""
        before = len(self.server.application.waiter.waiting)
        answer = self._threads.submit(self.post, key, **body)
        await_that(lambda: len(self.server.application.waiter.waiting) > before or answer.done())
        return answer

    def post_and_send(self, key: str | None = None, **body: object) -> requests.Response:
        """A POST, and the worker that sends what it waits for: another call may just be told an earlier outcome."""
        answer = self.begin_post(key, **body)
        while not answer.done():
            factories.send_until_settled(models.Request.objects.latest("pk"))
            wait([answer], timeout=0.05)
        return answer.result(PATIENCE)

    def open(self, method: str, target: str, *lines: str, body: bytes = b"") -> socket.socket:
        """The connection on which this was sent as it is written here: a library would tidy it up."""
        bearer = [f"Authorization: Bearer {self.secret}"] if self.secret else []
        head = [f"{method} {target} HTTP/1.1", "Host: x", *bearer, f"Content-Length: {len(body)}", *lines]
        opened = socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE)
        opened.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return opened

    def ask(self, method: str, target: str, *lines: str, body: bytes = b"") -> int:
        """The status that is answered to what is written here."""
        with self.open(method, target, *lines, "Connection: close", body=body) as opened:
            return int(opened.recv(4096).split()[1])

    def leave(self, key: str | None = None) -> socket.socket:
        """A POST of which the test has the connection, to close it."""
        keys = [f"Idempotency-Key: {key}"] if key else []
        return self.open("POST", "/v1/workstations", *keys, body=b'{"type": "python"}')

    def close(self) -> None:
        self._threads.shutdown()
        self._session.close()


def read_limit(answer: requests.Response) -> tuple[int, int, int]:
    """The limit in which the call counted, what is left of it, and the seconds until its window ends."""
    limit, left, seconds = (int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    assert 0 < seconds <= 60
    return limit, left, seconds


def read_error(answer: requests.Response) -> tuple[int, str]:
    """The status, and the provider's word for it; it has its sentence, too."""
    document = answer.json()
    assert set(document) == {"error", "message"}
    assert document["message"].startswith(document["error"])
    return answer.status_code, document["error"]
