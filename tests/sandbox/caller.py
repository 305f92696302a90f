"""Who talks to a provider in tests: by HTTP with a key, or by bytes on a socket."""

import json
import socket
import threading
from typing import Any, Self
from urllib.parse import quote

import requests


def list_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Caller:
    def __init__(self, base_url: str, key: str = "sandbox") -> None:
        self.base_url = base_url
        self._sockets: list[socket.socket] = []
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
        for connection in self._sockets:
            connection.close()

    def make(self, type: str = "max") -> str:
        return self.ask(type).json()["id"]

    def open(self, uid: str, way: str) -> str:
        answer = self.call("POST", f"/workstations/{uid}/{way}")
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"url"}
        return answer.json()["url"]

    def read(self, uid: str) -> requests.Response:
        return self.call("GET", f"/workstations/{quote(uid, safe='')}")

    def release(self, uid: str) -> None:
        assert self.call("DELETE", f"/workstations/{uid}/release").status_code == 200

    def page(self, path: str = "/workstations", **params) -> dict[str, Any]:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def uids(self, path: str = "/workstations", **params) -> list[str]:
        return [workstation["id"] for workstation in self.page(path, **params)["data"]]

    # --- On a socket ---

    def connect(self) -> socket.socket:
        host, port = self.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        return socket.create_connection((host, int(port)), timeout=30)

    def post_raw(self, workspace: str | None = None) -> socket.socket:
        """Send a POST for a workspace, and return the socket with the answer still unread."""
        wish = {"type": "python"} if workspace is None else {"type": "python", "workspace_id": workspace}
        body = json.dumps(wish).encode()
        head = (
            f"POST /v1/workstations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox\r\nContent-Length: {len(body)}"
        )
        connection = self.connect()
        self._sockets.append(connection)
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        return connection
