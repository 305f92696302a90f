"""The operator on duty: resumes the key when a person has to."""

import re
import threading

import requests

from tests.chaos import clients, inside

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Keeper:
    """A thread that looks at the key twice a second."""

    def __init__(self, *, address: str, session_key: str) -> None:
        self.book = clients.Book()
        self.resumed = 0
        self._stopping = threading.Event()
        self._browser = clients.Browser(
            address=address, name="olga", session_key=session_key, book=self.book, hurry=self._stopping
        )
        self._thread = threading.Thread(target=self._run, name="keeper")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Go home."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)

    def _run(self) -> None:
        while not self._stopping.wait(0.5):
            state = inside.read_state()
            if state is not None and state["needs_operator"]:
                self._resume()

    def _resume(self) -> None:
        page = self._browser.ask("GET", "/key/")
        token = _find_token(page)
        if token and self._browser.ask("POST", "/key/resume/", csrfmiddlewaretoken=token) is not None:
            self.resumed += 1


def _find_token(page: requests.Response | None) -> str:
    found = _TOKEN.search(page.text) if page is not None else None
    return found[1] if found else ""
