"""The portal's API for one person."""

import logging
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import httpx2

from wsp import __version__
from wsp.failures import NotSettled, NotSignedIn, Refused, Unreachable, WrongUse, read_document
from wsp.signin import SignIn, make

# Their lines name addresses, and whoever has that of a log stream can read it.
for name in ("httpx2", "httpcore2"):
    logging.getLogger(name).setLevel(logging.WARNING)

_CONNECT, _READ, _LONGEST_READ = 10.0, 70.0, 90.0  # seconds; a release is answered after up to 55
_PAGE = 100  # workstations, the most that a page has
AGAIN_AFTER, _LONGEST_PAUSE = 5, 60  # seconds
_WORKSTATIONS = "/v1/workstations"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)  # nothing was sent

type Document = dict[str, Any]


class Where(NamedTuple):
    """Of a request in the portal: its number, such as R-1042, and its page. Empty until the portal has named them."""

    number: str = ""
    page: str = ""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is requested. The same key finds the same request again for a day."""

    type: str
    key: str
    lifetime: str | None = None
    workspace: str | None = None

    def describe(self) -> Document:
        fields = {"type": self.type, "lifetime": self.lifetime, "workspace_id": self.workspace}
        return {name: value for name, value in fields.items() if value is not None}


class StillWaiting(NotSettled):
    def __init__(self, where: Where) -> None:
        super().__init__(f"It is not known yet what becomes of {where.number or 'the request'}.", where.page)
        self.where = where


class Portal(AbstractContextManager["Portal"]):
    def __init__(self, sign_in: SignIn) -> None:
        self.url = sign_in.url
        headers = {"Authorization": f"Bearer {sign_in.token}".strip(), "User-Agent": f"wsp/{__version__}"}
        self._http = httpx2.Client(base_url=self.url, headers=headers)

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask_code(self) -> Document | None:
        """One to type into a page of the portal; nothing where it has none."""
        answer = self._send("POST", "/accounts/device/code/", data={"client_id": "wsp", "host": platform.node()})
        return None if answer.status_code == 404 else read_document(answer)

    def await_token(self, asked: Document) -> SignIn:
        """Raises NotSignedIn where it is denied, or too late."""
        sent = {"client_id": "wsp", "grant_type": _GRANT, "device_code": asked["device_code"]}
        while True:
            time.sleep(asked["interval"])
            try:
                given = self._call("POST", "/accounts/device/token/", data=sent)
                return make(url=given["base_url"], token=given["access_token"])
            except Refused as error:
                if str(error) not in ("authorization_pending", "slow_down"):
                    is_denied = str(error) == "access_denied"
                    raise NotSignedIn("It was denied." if is_denied else "The code has ended.") from None

    def list_types(self) -> list[Document]:
        return _read_list(self._call("GET", f"{_WORKSTATIONS}/types"))

    def list_workstations(self, *, history: bool = False, most: int = 20) -> list[Document]:
        found, cursor = list[Document](), None
        while len(found) < most:
            query = {"limit": str(min(_PAGE, most - len(found)))} | ({"cursor": cursor} if cursor else {})
            page = self._call("GET", _WORKSTATIONS + ("/history" if history else ""), params=query)
            found += _read_list(page)
            if not (cursor := page.get("next_cursor")):
                break
        return found[:most]

    def read_workstation(self, uid: str) -> Document:
        return self._call("GET", _name(uid))

    def find_page(self, uid: str) -> str:
        answer = self._send("GET", _name(uid))
        read_document(answer)  # whether there is one
        return urljoin(self.url, answer.headers.get("X-Portal-Page", f"/workstations/{uid}/"))

    def request_workstation(
        self, wish: Wish, *, seconds: float, again: bool = True, note: Callable[[Where], None] = lambda _: None
    ) -> tuple[Document, Where]:
        """Send it, if `again` until it is settled or time is over, with a `note` before each wait. Raises Failure."""
        until, where, was_sent = time.monotonic() + seconds, Where(), False
        while True:
            pause: float = AGAIN_AFTER
            try:
                limit = min(_LONGEST_READ, max(1.0, until - time.monotonic()))
                headers = {"Idempotency-Key": wish.key}
                answer = self._send("POST", _WORKSTATIONS, seconds=limit, headers=headers, json=wish.describe())
            except (Unreachable, NotSettled) as error:
                if isinstance(error, Unreachable) and not was_sent:
                    raise  # else the key finds it again
            else:
                where = self._find_where(answer) or where
                if _is_settled(answer):
                    return read_document(answer), where
                pause = _read_pause(answer)
            was_sent = True
            if not again or time.monotonic() + pause > until:
                raise StillWaiting(where)
            note(where)
            time.sleep(pause)

    def release(self, uid: str, *, seconds: float = 120.0) -> Document:
        """Until the provider has confirmed it."""
        until, has_begun = time.monotonic() + seconds, False
        while True:
            try:
                return self._call("DELETE", f"{_name(uid)}/release")
            except NotSettled as error:
                if time.monotonic() + AGAIN_AFTER > until:
                    raise
                has_begun = has_begun or error.status == 503
            except Refused as error:
                if has_begun and error.status == 422:  # it has ended meanwhile
                    return {"released": True}
                raise
            time.sleep(AGAIN_AFTER)

    def extend(self, uid: str, lifetime: str) -> Document:
        return self._call("POST", f"{_name(uid, under='/api/workstations')}/end", json={"lifetime": lifetime})

    def open_connection(self, uid: str, way: str) -> str:
        """An address into the workstation. Whoever has it is in: it is never logged."""
        return str(self._call("POST", f"{_name(uid)}/{way}").get("url", ""))

    def follow_log(self, uid: str, *, seconds: float | None = None) -> Iterator[Document | str]:
        """Entries as they come, until the workstation ends or the time is over."""
        until = time.monotonic() + seconds if seconds is not None else None
        timeout = httpx2.Timeout(_CONNECT, read=seconds)
        try:
            # Another host than the portal's: it gets no token.
            with httpx2.stream("GET", self.open_connection(uid, "log/stream"), timeout=timeout) as answer:
                answer.raise_for_status()
                for event in httpx2.EventSource(answer):
                    yield _read_entry(event)
                    if until is not None and time.monotonic() >= until:
                        return
        except httpx2.ReadTimeout:
            return
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise Unreachable("The log stream broke off, or cannot be reached.", "Try again.") from None

    def _call(self, method: str, path: str, **options: Any) -> Document:
        return read_document(self._send(method, path, **options))

    def _send(self, method: str, path: str, *, seconds: float = _READ, **options: Any) -> httpx2.Response:
        try:
            return self._http.request(method, path, timeout=httpx2.Timeout(_CONNECT, read=seconds), **options)
        except httpx2.HTTPError as error:
            words = str(error) or type(error).__name__
            if method == "GET" or isinstance(error, _UNSENT):
                raise Unreachable(f"{self.url} cannot be reached: {words}", "Check the address.") from None
            raise NotSettled(f"It is not known whether it was done: {words}", "Look, then try again.") from None

    def _find_where(self, answer: httpx2.Response) -> Where | None:
        number, page = answer.headers.get("X-Portal-Request"), answer.headers.get("X-Portal-Page", "")
        return Where(number, str(answer.request.url.join(page)) if page else "") if number else None


def list_logs(workstation: Document) -> list[Document]:
    """The log files of its workspace."""
    return _read_list((workstation.get("workspace") or {}).get("logs"))


def _name(uid: str, *, under: str = _WORKSTATIONS) -> str:
    if not uid.strip("."):
        raise WrongUse("Name a workstation by its ID.")
    return f"{under}/{quote(uid, safe='')}"


def _read_list(data: object) -> list[Document]:
    while isinstance(data, dict):  # AgentStation's own example has a list within the list
        data = data.get("data")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _read_entry(event: httpx2.ServerSentEvent) -> Document | str:
    """What its fields are is not documented."""
    with suppress(ValueError):
        if isinstance(entry := event.json(), dict):
            return entry
    return event.data


def _is_settled(answer: httpx2.Response) -> bool:
    """A server error without a request's number is a proxy's, or comes from a portal that cannot look."""
    return answer.status_code < 500 or ("X-Portal-Request" in answer.headers and "Retry-After" not in answer.headers)


def _read_pause(answer: httpx2.Response) -> float:
    after = answer.headers.get("Retry-After", "")
    return min(int(after), _LONGEST_PAUSE) if after.isdecimal() else AGAIN_AFTER
