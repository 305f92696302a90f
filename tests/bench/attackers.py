"""`python -m tests.bench.attackers guess|sign-in|multipart --way WAY`: attacks the portal until its input ends.

A process of its own, with the lowest priority: in earnest the attackers' machines are not the portal's.
"""

import argparse
import io
import itertools
import json
import os
import re
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.web.clients import HOST

COUNTS = {"guess": 20, "sign-in": 32, "multipart": 8}
SIZE = 200_000_000  # bytes of a file
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the portal is reached: by nginx where there is its certificate, past it otherwise."""

    port: int
    certificate: str = ""

    @property
    def url(self) -> str:
        """Where the portal is."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"


class _From(HTTPAdapter):
    """Connections from an address of this machine, to a server that is called by its name."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        options |= {"server_hostname": HOST, "assert_hostname": HOST, "source_address": (self._address, 0)}
        super().init_poolmanager(connections, maxsize, block, **options)


class Visitor:
    """Somebody at an address of their own: of nginx's client, or as a trusted proxy would tell it."""

    def __init__(self, way: Way, *, address: str) -> None:
        self._url, self._session = way.url, requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Host": HOST, "Origin": f"https://{HOST}"})
        if way.certificate:
            self._session.verify = way.certificate
            self._session.mount("https://", _From(address))
        else:
            self._session.headers.update({"X-Forwarded-For": address, "X-Forwarded-Proto": "https"})

    def ask(self, path: str) -> int:
        """The status of a page."""
        return self._session.get(self._url + path, timeout=60, allow_redirects=False, cookies=self._cookies).status_code

    def sign_in(self, name: str, password: str) -> int:
        """The status of one try; 302 where it was right."""
        path = f"{self._url}/accounts/login/"
        form = self._session.get(path, timeout=60, cookies=self._cookies)
        token = _TOKEN.search(form.text)
        values = {"username": name, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
        response = self._session.post(path, values, timeout=60, allow_redirects=False, cookies=self._cookies)
        return response.status_code

    def sign_out(self) -> None:
        """Forget the session, not the browser."""
        for cookie in [cookie for cookie in self._session.cookies if cookie.name.endswith("sessionid")]:
            self._session.cookies.clear(cookie.domain, cookie.path, cookie.name)

    def send_file(self) -> int:
        """The status of a file that nobody has asked for."""
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return self._session.post(f"{self._url}/accounts/login/", _File(), headers=kind, timeout=60).status_code

    @property
    def _cookies(self) -> dict[str, str]:
        """Those for https alone, which past nginx would not be sent."""
        return {cookie.name: cookie.value or "" for cookie in self._session.cookies}


class _File(io.RawIOBase):
    """So many bytes, made while they are read."""

    def __init__(self) -> None:
        self._left = SIZE

    def __len__(self) -> int:
        return SIZE

    def read(self, size: int = -1) -> bytes:
        size = min(self._left, size)
        self._left -= size
        return b"x" * size


class Attackers:
    """So many threads that do the same, again and again."""

    def __init__(self, *, kind: str, way: Way) -> None:
        self._way, self._count = way, COUNTS[kind]
        self._names = itertools.count(1)
        self._stopping, self._lock = threading.Event(), threading.Lock()
        attacks: dict[str, Callable[[int], int]] = {
            "guess": self._guess_one,
            "sign-in": self._sign_in_anywhere,
            "multipart": lambda number: self._visit(number).send_file(),
        }
        self._attack = attacks[kind]
        self.responses: Counter[str] = Counter()

    def run(self) -> None:
        """Attack until the standard input ends."""
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
                response = str(self._attack(number))
            except (requests.RequestException, OSError) as error:
                response = type(error).__name__
            with self._lock:
                self.responses[response] += 1

    def _visit(self, number: int) -> Visitor:
        return Visitor(self._way, address=f"127.0.{1 + number // 250}.{1 + number % 250}")

    def _guess_one(self, number: int) -> int:
        return self._visit(number).sign_in("member", secrets.token_hex(4))

    def _sign_in_anywhere(self, number: int) -> int:
        with self._lock:
            name = next(self._names)
        return self._visit(name % 20_000).sign_in(f"name-{name}", secrets.token_hex(4))


def main() -> None:
    """Attack."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attackers", description=__doc__)
    parser.add_argument("kind", choices=COUNTS)
    parser.add_argument("--way", type=json.loads, required=True, help="a port, and a certificate, as JSON")
    options = parser.parse_args()
    os.nice(19)
    attackers = Attackers(kind=options.kind, way=Way(**options.way))
    attackers.run()
    sys.stdout.write(json.dumps(attackers.responses))


if __name__ == "__main__":
    main()
