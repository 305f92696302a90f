"""A sandbox with a clock that only moves when told, and ways to talk to it."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Self

import pytest
import requests

from portal.sandbox import control, server


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Caller:
    """Somebody with an API key."""

    def __init__(self, base_url: str, key: str = "sandbox") -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, **options) -> requests.Response:
        options.setdefault("timeout", 30)
        return self.session.request(method, self.base_url + path, **options)

    def ask(self, type: str = "python", workspace: str | None = None, **options) -> requests.Response:
        wish = {"type": type} if workspace is None else {"type": type, "workspace_id": workspace}
        return self.call("POST", "/workstations", json=wish, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.session.close()

    def make(self, type: str = "max") -> str:
        """The UID of a new workstation."""
        return self.ask(type).json()["id"]

    def open(self, uid: str, way: str) -> str:
        """The address of a connection."""
        answer = self.call("POST", f"/workstations/{uid}/{way}")
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"url"}
        return answer.json()["url"]

    def release(self, uid: str) -> None:
        assert self.call("DELETE", f"/workstations/{uid}/release").status_code == 200

    def page(self, path: str = "/workstations", **params) -> dict:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def uids(self, path: str = "/workstations", **params) -> list[str]:
        return [workstation["id"] for workstation in self.page(path, **params)["data"]]

    def control(self, method: str, what: str, **options) -> requests.Response:
        options.setdefault("headers", control.HEADERS)
        address = self.base_url.removesuffix("/v1")
        return self.session.request(method, f"{address}/control/{what}", timeout=30, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[server.Sandbox]:
    with server.Sandbox(clock=clock, lifetime=1000, file_every=10) as running:
        yield running


@pytest.fixture
def alice(sandbox: server.Sandbox) -> Iterator[Caller]:
    caller = Caller(sandbox.base_url)
    with caller.session:
        yield caller


@pytest.fixture
def talk(sandbox: server.Sandbox) -> Callable[[bytes], bytes]:
    """Send bytes, close our side, and read all that comes back."""

    def send(text: bytes) -> bytes:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    return send


@pytest.fixture
def post_raw(sandbox: server.Sandbox) -> Iterator[Callable[..., socket.socket]]:
    """Send a POST for a workspace, and return the socket with the answer still unread."""
    sockets = []

    def send(workspace: str | None = None) -> socket.socket:
        wish = {"type": "python"} if workspace is None else {"type": "python", "workspace_id": workspace}
        body = json.dumps(wish).encode()
        host, port = sandbox.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=30)
        sockets.append(connection)
        head = (
            f"POST /v1/workstations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox\r\nContent-Length: {len(body)}"
        )
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        return connection

    yield send
    for connection in sockets:
        connection.close()
