"""`python -m tests.bench.attackers guess|sign-in|multipart --port N`: attacks the portal there until its input ends.

A process of its own, with the lowest priority: in earnest the attackers' machines are not the portal's.
"""

import argparse
import itertools
import json
import os
import re
import secrets
import socket
import sys
import threading
from collections import Counter

import requests

COUNTS = {"guess": 20, "sign-in": 32, "multipart": 8}
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_MULTIPART = 200_000_000  # bytes


class Visitor:
    """Somebody at an address of their own, as a trusted proxy tells it."""

    def __init__(self, portal: str, *, address: str) -> None:
        self._portal, self._session = portal, requests.Session()
        self._session.headers["X-Forwarded-For"] = address

    def ask(self, path: str) -> int:
        """The status of a page."""
        return self._session.get(self._portal + path, timeout=60, allow_redirects=False).status_code

    def sign_in(self, name: str, password: str) -> int:
        """The status of one try; 302 where it was right."""
        token = _TOKEN.search(self._session.get(f"{self._portal}/accounts/login/", timeout=60).text)
        values = {"username": name, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
        answer = self._session.post(f"{self._portal}/accounts/login/", values, timeout=60, allow_redirects=False)
        return answer.status_code

    def sign_out(self) -> None:
        """Forget the session, not the browser."""
        for cookie in [cookie for cookie in self._session.cookies if cookie.name == "sessionid"]:
            self._session.cookies.clear(cookie.domain, cookie.path, cookie.name)


class Attackers:
    """So many threads that do the same, again and again."""

    def __init__(self, *, kind: str, port: int) -> None:
        self._port, self._portal = port, f"http://127.0.0.1:{port}"
        self._addresses = (f"198.51.{number // 250}.{number % 250}" for number in itertools.count(1))
        self._stopping, self._lock = threading.Event(), threading.Lock()
        attacks = {"guess": self._guess_one, "sign-in": self._sign_in_anywhere, "multipart": self._send_files}
        self._attack = attacks[kind]
        self._count = COUNTS[kind]
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        """Attack until the standard input ends; then tell what was answered."""
        threads = [threading.Thread(target=self._repeat, args=(number,)) for number in range(self._count)]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._stopping.set()
        for thread in threads:
            thread.join()

    def _repeat(self, number: int) -> None:
        while not self._stopping.is_set():
            try:
                answer = str(self._attack(number))
            except (requests.RequestException, OSError) as error:
                answer = type(error).__name__
            with self._lock:
                self.answers[answer] += 1

    def _guess_one(self, number: int) -> int:
        return Visitor(self._portal, address=f"198.18.0.{number}").sign_in("member", secrets.token_hex(4))

    def _sign_in_anywhere(self, number: int) -> int:
        with self._lock:
            address = next(self._addresses)
        return Visitor(self._portal, address=address).sign_in(secrets.token_hex(4), secrets.token_hex(4))

    def _send_files(self, number: int) -> str:
        head = (
            "POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {_MULTIPART}\r\n\r\n--x\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
            connection.sendall(head.encode())
            try:
                for _ in range(_MULTIPART // 100_000):
                    if self._stopping.is_set():
                        return "stopped"
                    connection.sendall(b"x" * 100_000)
                return connection.recv(12).decode()
            except OSError:
                return "cut off"


def main() -> None:
    """Attack."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attackers", description=__doc__)
    parser.add_argument("kind", choices=COUNTS)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    os.nice(19)
    attackers = Attackers(kind=options.kind, port=options.port)
    attackers.run()
    sys.stdout.write(json.dumps(attackers.answers))


if __name__ == "__main__":
    main()
