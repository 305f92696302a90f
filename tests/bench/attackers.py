"""`python -m tests.bench.attackers KIND PORT CERTIFICATE`: attacks the portal behind nginx until its input ends.

A process of its own, with the lowest priority: in earnest the attackers' machines are not the portal's.
"""

import itertools
import os
import re
import secrets
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests.web.clients import HOST

COUNTS = {"guess": 20, "sign-in": 32, "multipart": 8}  # threads
LEAST = {"guess": 1000}  # tries, though its input ends
SIZE = 200_000_000  # bytes of a file
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class _From(HTTPAdapter):
    """Connections from an address of this machine, to a server that is called by its name."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        options |= {"server_hostname": HOST, "assert_hostname": HOST, "source_address": (self._address, 0)}
        super().init_poolmanager(connections, maxsize, block, **options)


class Visitor:
    def __init__(self, *, port: int, certificate: str, address: str) -> None:
        self._url, self._session = f"https://127.0.0.1:{port}", requests.Session()
        self._session.trust_env, self._session.verify = False, certificate
        self._session.headers.update({"Host": HOST, "Origin": f"https://{HOST}"})
        self._session.mount("https://", _From(address))

    def ask(self, path: str) -> str:
        return str(self._session.get(self._url + path, timeout=60, allow_redirects=False).status_code)

    def sign_in(self, name: str, password: str) -> str:
        path = f"{self._url}/accounts/login/"
        token = _TOKEN.search(self._session.get(path, timeout=60).text)
        values = {"username": name, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
        return str(self._session.post(path, values, timeout=60, allow_redirects=False).status_code)

    def sign_out(self) -> None:
        """Forget the session, not the browser."""
        for cookie in [cookie for cookie in self._session.cookies if cookie.name.endswith("sessionid")]:
            self._session.cookies.clear(cookie.domain, cookie.path, cookie.name)

    def send_file(self) -> str:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        with tempfile.TemporaryFile() as file:
            file.truncate(SIZE)
            return str(self._session.post(f"{self._url}/accounts/login/", file, headers=kind, timeout=60).status_code)


def attack(kind: str, visitor: Visitor, number: int) -> str:
    try:
        if kind == "multipart":
            return visitor.send_file()
        return visitor.sign_in("member" if kind == "guess" else f"name-{number}", secrets.token_hex(4))
    except (requests.RequestException, OSError) as error:
        return type(error).__name__


def main() -> None:
    kind, port, certificate = sys.argv[1:]
    os.nice(19)
    is_over, numbers, seen = threading.Event(), itertools.count(1), Counter[str]()

    def repeat(places: Iterator[int]) -> None:
        for place in places:
            if is_over.is_set() and seen.total() >= LEAST.get(kind, 0):
                return
            address = f"127.0.{1 + place // 250 % 80}.{1 + place % 250}"
            seen[attack(kind, Visitor(port=int(port), certificate=certificate, address=address), place)] += 1

    everywhere = kind == "sign-in"  # under ever new names from ever new addresses
    threads = [
        threading.Thread(target=repeat, args=[numbers if everywhere else itertools.repeat(place)])
        for place in range(COUNTS[kind])
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    is_over.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{dict(seen)}")


if __name__ == "__main__":
    main()
