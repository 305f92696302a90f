"""The operator on duty: ends pauses that a person has to end or that are long, confirms keys, and ends requests that
nobody can settle."""

import threading
import time
from collections.abc import Callable

from tests.chaos import clients, inside

_EVERY = 20.0  # seconds between two looks at what waits for a person; it may be known by itself meanwhile


class Keeper:
    def __init__(self, *, address: str, session_key: str, accepts_former: Callable[[], bool]) -> None:
        self.book = clients.Book()
        self.resumed = self.closed = self.confirmed = 0
        self._accepts_former = accepts_former
        self.decides = True  # about requests; pauses are ended in any case
        self._waiting, self._asked = list[int](), set[int]()
        self._review_at = time.monotonic() + _EVERY
        self._stopping = threading.Event()
        self._browser = clients.Browser(
            address=address, name="olga", session_key=session_key, book=self.book, hurry=self._stopping
        )
        self._thread = threading.Thread(target=self._run, name="keeper")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)

    def _run(self) -> None:
        while not self._stopping.wait(0.5 if not self._waiting else 0.1):
            state = inside.read_state()
            for number, is_former in inside.list_questions():
                if not is_former or self._accepts_former():
                    self._confirm(number)
            if state is not None and state["needs_operator"]:
                self._resume()
            elif self._waiting and self.decides:
                self._close(self._waiting.pop())
            elif self.decides and time.monotonic() > self._review_at:
                self._review()

    def _resume(self) -> None:
        token = clients.find_token(self._browser.ask("GET", "/key/"))
        if token and self._browser.ask("POST", "/key/resume/", csrfmiddlewaretoken=token) is not None:
            self.resumed += 1

    def _confirm(self, number: int) -> None:
        said = {"csrfmiddlewaretoken": clients.find_token(self._browser.ask("GET", "/key/")), "account": "same"}
        if self._browser.ask("POST", f"/key/account/{number}/", **said) is not None:
            self.confirmed += 1

    def _review(self) -> None:
        """Find what has waited for a person since the last look: left alone, it would pile up."""
        asked = {number for numbers in inside.list_asked().values() for number in numbers}
        self._waiting, self._asked = sorted(asked & self._asked), asked
        self._review_at = time.monotonic() + _EVERY

    def _close(self, number: int) -> None:
        token = clients.find_token(self._browser.ask("GET", f"/requests/{number}/"))
        said = {"csrfmiddlewaretoken": token, "reason": "Nobody can tell what became of it."}
        if token and self._browser.ask("POST", f"/requests/{number}/close/", **said) is not None:
            self.closed += 1
