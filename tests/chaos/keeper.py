"""The operator on duty: ends pauses that a person has to end or that are long, confirms keys, and ends requests that
nobody can settle."""

import time
from collections import Counter
from collections.abc import Callable

from tests.chaos import clients, inside, stage

_EVERY = 20.0  # seconds between two looks at what waits for a person; it may be known by itself meanwhile

DATABASE_ANSWERED = "database said to be put back"


class Keeper(stage.Part):
    def __init__(self, *, address: str, session_key: str, accepts_former: Callable[[], bool]) -> None:
        super().__init__()
        self.book = clients.Book()
        self.deeds = Counter[str]()
        self._accepts_former = accepts_former
        self.decides = True  # about requests; pauses are ended in any case
        self._waiting, self._asked = list[int](), set[int]()
        self._review_at = time.monotonic() + _EVERY
        self._browser = clients.Browser(
            address=address, name="olga", session_key=session_key, book=self.book, hurry=self.stopping
        )

    def run(self) -> None:
        while not self.stopping.wait(0.5 if not self._waiting else 0.1):
            state = inside.read_state()
            for number, is_former in inside.list_questions():
                if not is_former or self._accepts_former():
                    self._act("key confirmed", "/key/", f"/key/account/{number}/", account="same")
            if state is not None and state["cause"] == "database-moved":
                self._act(DATABASE_ANSWERED, "/key/", "/key/database/", database="put-back")
            elif state is not None and state["needs_operator"]:
                self._act("key resumed", "/key/", "/key/resume/")
            elif self._waiting and self.decides:
                self.close(self._waiting.pop())
            elif self.decides and time.monotonic() > self._review_at:
                self._review()

    def close(self, number: int) -> None:
        page = f"/requests/{number}/"
        self._act("request given up", page, f"{page}close/", reason="Nobody can tell what became of it.")

    def _act(self, deed: str, page: str, path: str, **said: str) -> None:
        token = clients.find_token(self._browser.ask("GET", page))
        if token and self._browser.ask("POST", path, csrfmiddlewaretoken=token, **said) is not None:
            self.deeds[deed] += 1

    def _review(self) -> None:
        """Find what has waited for a person since the last look: left alone, it would pile up."""
        asked = {number for numbers in inside.list_asked().values() for number in numbers}
        self._waiting, self._asked = sorted(asked & self._asked), asked
        self._review_at = time.monotonic() + _EVERY
