"""Members in a hurry: they submit as fast as they can, some twice, some cancel, and write down what they were told."""

import html
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from tests.chaos import books, ends, inside

TYPES = (*("max", "zoom-chromium", "meet-chromium", "voip", "voip-chromium", "chromium"), *("python", "nodejs"))
# Nobody asks for it: by one of this type the portal sees at once that somebody else uses the key.
OTHERS_TYPE = "golang"
# Names that end well sooner or later, or in a refusal.
ENDING = (
    *("fail-400", "fail-418", "fail-422", "fail-500-made"),
    *("hang-made", "reset-made", "new-fields", "unknown-status", "slow-1"),
)
# Names under which a workstation never comes about. Who asks for one of these gives up at the end, and cancels.
# One that is only ever refused for now ends by itself, but where nothing else is left to send, after long pauses.
ENDLESS = ("fail-503", "fail-500", "fail-502", "fail-503-html", "hang", "reset", "garbage")
PATIENCE = 15.0  # seconds for one response
WINDOWS = 6  # in which the member with a limit asks at once
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_SUBMISSION = re.compile(r'name="submission" value="([^"]+)"')
_WORKSPACE = re.compile(r'name="place"\s+value="([0-9A-Za-z]{12})"')
_NUMBER = re.compile(r"/requests/([0-9]+)/$")
_WORKSTATION = re.compile(r"/workstations/([0-9A-Za-z]{12})/")


@dataclass(kw_only=True)
class Book:
    submissions: list[books.Submission] = field(default_factory=list)
    # (from, until, address) of every call answered 5xx, in seconds since 1970.
    server_errors: list[tuple[float, float, str]] = field(default_factory=list)

    def note_response(self, response: requests.Response) -> None:
        if response.status_code >= 500:
            now = time.time()
            begun = now - response.elapsed.total_seconds()
            self.server_errors.append((begun, now, re.sub("[0-9]+", "N", response.request.path_url)))


class Browser:
    """A signed-in person's browser, which tries again until it is answered or the run is over."""

    def __init__(self, *, address: str, name: str, session_key: str, book: Book, hurry: threading.Event) -> None:
        self._address, self._book, self._hurry = address, book, hurry
        self._name, self._session = name, requests.Session()
        self._session.trust_env = False
        self._enter(session_key)

    def _enter(self, session_key: str) -> None:
        self._session.cookies.set("sessionid", session_key, domain="127.0.0.1", path="/")

    def twin(self) -> "Browser":
        other = Browser(address=self._address, name=self._name, session_key="", book=self._book, hurry=self._hurry)
        other._session.cookies.update(self._session.cookies)
        return other

    def ask(self, method: str, path: str, **values: str) -> requests.Response | None:
        """One answer below 500; None where none came before the run was over (then `hurry` is set)."""
        while True:
            try:
                response = self._session.request(
                    method,
                    self._address + path,
                    data=values or None,
                    headers={"Referer": self._address + path},
                    timeout=PATIENCE,
                    allow_redirects=False,
                )
                self._book.note_response(response)
                if response.headers.get("Location", "").startswith("/accounts/login/"):
                    # A clock that was days ahead has ended the session. The form that is being sent stays valid.
                    self._enter(inside.sign_in(self._name) or "")
                elif response.status_code < 500:
                    return response
            except requests.RequestException:
                self._session.close()
            if self._hurry.wait(0.2):
                return None


def _find(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return html.unescape(found[1]) if found else ""


def find_token(page: requests.Response | None) -> str:
    return _find(_TOKEN, page.text) if page is not None else ""


def _read_number(response: requests.Response | None) -> int | None:
    found = _NUMBER.search(response.headers.get("Location", "")) if response is not None else None
    return int(found[1]) if found else None


def _name_answer(response: requests.Response | None) -> str:
    return "none" if response is None else f"{response.status_code} {response.headers.get('Location', '')}".strip()


class Member:
    def __init__(self, *, name: str, browser: Browser, book: Book, seed: str, has_ends: bool) -> None:
        self.name, self._browser, self._book, self._has_ends = name, browser, book, has_ends
        self._chance = random.Random(seed)
        self._gives_up: list[int] = []
        self._decided: set[int] = set()

    def submit_one(self) -> bool:
        """Fill in a form and send it until told; False where the form could not even be had."""
        form = self._browser.ask("GET", "/requests/new/")
        submission = _find(_SUBMISSION, form.text) if form is not None else ""
        if form is None or not submission:
            return False
        wish = {
            "csrfmiddlewaretoken": _find(_TOKEN, form.text),
            "type": self._chance.choice(TYPES),
            "workspace_id": self._choose_workspace(_WORKSPACE.findall(form.text)),
            "lifetime": self._choose_lifetime(),
            "note": "",
            "submission": submission,
        }
        seen = self._send(wish)
        self._book.submissions.append(seen)
        for number in set(seen.numbers):
            self._follow(number, wish)
        return True

    def _choose_lifetime(self) -> str:
        return self._chance.choice([*ends.LIFETIMES]) if self._has_ends and self._chance.random() < 0.4 else "none"

    def _choose_workspace(self, own: list[str]) -> str:
        point = self._chance.random()
        if point < 0.2 and own:
            return self._chance.choice(own)
        if point < 0.26:
            return self._chance.choice(ENDING)
        if point < 0.28:
            return self._chance.choice(ENDLESS)
        return ""

    def _send(self, wish: dict[str, str]) -> books.Submission:
        browsers = [self._browser, self._browser.twin()] if self._chance.random() < 0.15 else [self._browser]
        with ThreadPoolExecutor() as threads:
            responses = list(threads.map(lambda browser: browser.ask("POST", "/requests/new/", **wish), browsers))
        numbers = [number for response in responses if (number := _read_number(response)) is not None]
        return books.Submission(
            member=self.name,
            submission=wish["submission"],
            type=wish["type"],
            workspace=wish["workspace_id"],
            numbers=tuple(numbers),
            refused=any(response is not None and response.status_code == 200 for response in responses),
            answers=tuple(_name_answer(response) for response in responses),
        )

    def _follow(self, number: int, wish: dict[str, str]) -> None:
        if wish["workspace_id"] in ENDLESS:
            self._gives_up.append(number)
        point = self._chance.random()
        if point < 0.05:
            self._browser.ask("POST", f"/requests/{number}/cancel/", csrfmiddlewaretoken=wish["csrfmiddlewaretoken"])
        elif point < 0.15:
            self._browser.ask("GET", f"/requests/{number}/")
        elif point < 0.3:
            self._act_on_one(wish["csrfmiddlewaretoken"], "release")
        elif point < 0.35:
            self._act_on_one(wish["csrfmiddlewaretoken"], "end", lifetime=self._choose_lifetime())

    def _act_on_one(self, token: str, act: str, **values: str) -> None:
        page = self._browser.ask("GET", "/workstations/")
        if page is not None and (own := _WORKSTATION.findall(page.text)):
            path = f"/workstations/{self._chance.choice(own)}/{act}/"
            self._browser.ask("POST", path, csrfmiddlewaretoken=token, **values)

    def give_up(self) -> None:
        """Cancel what will never be; said again, it changes nothing."""
        for number in self._gives_up:
            self._say(number, "cancel")

    def decide(self, numbers: list[int]) -> None:
        """Answer the portal's question about own requests, each once: send it again, cancel it, or leave it."""
        for number in set(numbers) - self._decided:
            self._decided.add(number)
            if response := self._chance.choice(("not-created", "not-created", "cancel", "")):
                self._say(number, response)

    def _say(self, number: int, response: str) -> None:
        if token := find_token(self._browser.ask("GET", f"/requests/{number}/")):
            self._browser.ask("POST", f"/requests/{number}/{response}/", csrfmiddlewaretoken=token)


class Crowd:
    def __init__(
        self, *, address: str, sessions: dict[str, str], tickets: int, seed: int, has_ends: bool = False, busy: str = ""
    ) -> None:
        self.book = Book()
        self._hurry = threading.Event()
        self._closed = threading.Event()
        self._tickets, self._lock = tickets, threading.Lock()
        self.members = [
            Member(
                name=name,
                browser=Browser(address=address, name=name, session_key=key, book=self.book, hurry=self._hurry),
                book=self.book,
                seed=f"{seed}/{name}/{window}",
                has_ends=has_ends,
            )
            for name, key in sessions.items()
            for window in range(WINDOWS if name == busy else 1)
        ]
        self._threads = [threading.Thread(target=self._run, args=(member,)) for member in self.members]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def is_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        self._closed.set()

    def join(self, *, seconds: float) -> None:
        """Wait until everybody was told; after so many seconds nobody tries again."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))
        if not self.is_done():
            self._hurry.set()
            for thread in self._threads:
                thread.join(timeout=3 * PATIENCE)
            self._hurry.clear()

    def give_up(self) -> None:
        for member in self.members:
            member.give_up()

    def decide(self, asked: dict[str, list[int]]) -> None:
        for member in {member.name: member for member in self.members}.values():
            member.decide(asked.get(member.name, []))

    def abandon(self) -> None:
        self.close()
        self._hurry.set()

    def _take_ticket(self) -> bool:
        with self._lock:
            self._tickets -= 1
            return self._tickets >= 0 and not self._closed.is_set()

    def _run(self, member: Member) -> None:
        while not self._hurry.is_set() and self._take_ticket():
            while not member.submit_one() and not self._hurry.is_set():
                time.sleep(0.2)
