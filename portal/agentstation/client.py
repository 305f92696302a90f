"""The client: eight operations over one seam, `Client._call`, in which every rule about HTTP holds for all of them."""

import copy
import email.utils
import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

import requests

from portal.agentstation._bearer import Bearer
from portal.agentstation._transport import FAILURES, LARGEST_BODY, LARGEST_PAGE, Call, Received, TooLateError, exchange
from portal.agentstation.contract import find_in_response
from portal.agentstation.errors import (
    REFUSALS,
    AgentStationError,
    NoAnswer,
    NoConnection,
    PageTooLarge,
    SendTooLate,
    UnreadableResponse,
    class_for,
)
from portal.agentstation.resources import (
    LONGEST_ADDRESS,
    LONGEST_WORDS,
    Page,
    Released,
    Reply,
    Response,
    Workstation,
    WorkstationTypeDescription,
    read_json,
    read_text,
)


class Client:
    """Calls the provider, with one API key. Each call raises AgentStationError where the provider does not do it.

    Nothing is tried again here. Every call is on a new connection; no redirect is followed; `.netrc` is never read.
    From the environment come the CA bundle (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE) and, for an https `base_url` only, the
    proxy (https_proxy, all_proxy, no_proxy), which must be an http:// one. A client may be shared between threads.
    """

    def __init__(
        self, *, base_url: str, api_key: str, connect_timeout: float = 5.0, total_timeout: float = 60.0, user_agent: str
    ) -> None:
        """`connect_timeout` bounds one step of connecting, `total_timeout` all of a call but the name's resolution.

        Both are in seconds. Raises ValueError, in words that show no key, where a value cannot be used.
        """
        self._base_url = _check_base_url(base_url)
        self._bearer = Bearer(_check_header("the API key", api_key.strip()))
        self._connect_timeout, self._total_timeout = connect_timeout, total_timeout
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": _check_header("the user agent", user_agent.strip()),
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._base_url}>"

    def hurried(self, *, total_timeout: float) -> Self:
        """A client like this one whose calls take no longer than so many seconds."""
        other = copy.copy(self)
        other._total_timeout = min(self._total_timeout, total_timeout)
        return other

    def request_workstation(
        self,
        *,
        type: str,
        workspace_id: str | None = None,
        send_before: float | None = None,
        may_send: Callable[[float], bool] | None = None,
    ) -> Reply[Workstation]:
        """Have a workstation made, which costs until it is released.

        `send_before` is a time of `boottime()` in seconds, past which nothing is sent. `may_send` is asked when the
        connection stands, before the first byte, with the seconds that the call may still take; where it says no,
        nothing is sent either. After NoAnswer, UnreadableResponse and InternalError a workstation may exist.
        """
        body = {"type": type} if workspace_id is None else {"type": type, "workspace_id": workspace_id}
        response = self._call(
            method="POST",
            path="/workstations",
            body=json.dumps(body).encode(),
            send_before=send_before,
            may_send=may_send,
        )
        workstation = _read(response, Workstation.from_entry)
        response = replace(response, deviations=workstation.deviations)
        if not workstation.uid:
            raise _unreadable(response)
        return Reply(value=workstation, response=response)

    def retrieve_workstation(self, *, uid: str) -> Workstation:
        """Look at one active workstation. Raises ValueError where no path can name `uid`."""
        return _read(self._call(method="GET", path=_workstation_path(uid)), Workstation.from_dict)

    def list_page(self, *, history: bool = False, cursor: str = "", limit: int) -> Page:
        """One page of a list. Raises PageTooLarge where it has more bytes than are read: a smaller `limit` may do."""
        path = "/workstations/history" if history else "/workstations"
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        response = self._call(
            method="GET", path=f"{path}?{urlencode(query, errors='surrogatepass')}", largest=LARGEST_PAGE
        )
        if response.truncated:
            raise PageTooLarge(f"a page of GET {path} is too large", response=_shorten(response))
        return replace(_read(response, Page.from_dict), date=response.date)

    def list_types(self) -> tuple[WorkstationTypeDescription, ...]:
        """The types that may be asked for now, in the provider's order."""
        response = self._call(method="GET", path="/workstations/types")
        return _read(response, WorkstationTypeDescription.list_from_dict)

    def check_key(self) -> None:
        """Make a harmless call, which raises nothing where the provider accepts the key."""
        _read(self._call(method="GET", path="/workstations?limit=1"), Page.from_dict)

    def release_workstation(
        self, *, uid: str, send_before: float | None = None, may_send: Callable[[float], bool] | None = None
    ) -> Released:
        """End a workstation; raises ValueError where no path can name `uid`. The other two: as of a request.

        After NoAnswer, UnreadableResponse or InternalError it may be released.
        """
        path = f"{_workstation_path(uid)}/release"
        return _read(
            self._call(method="DELETE", path=path, send_before=send_before, may_send=may_send), Released.from_dict
        )

    def open_connection(self, *, uid: str, path: str) -> str:
        """Open a way into a workstation: `path` is the end of its call's. Returns its address, which is a secret.

        Raises ValueError where no path can name `uid`. What UnreadableResponse holds is not to be shown or stored: the
        address may be in it.
        """
        response = self._call(method="POST", path=f"{_workstation_path(uid)}/{path}")
        return _read(response, _read_address)

    def pass_on(self, *, method: str, uid: str, path: str, query: str, body: bytes | None) -> Response:
        """Make a call of a workstation's that is not known here. Raises ValueError where no path can name `uid`.

        What a GET is answered may be an event stream, which the caller closes.
        """
        path = f"{_workstation_path(uid)}/{path}{f'?{query}' if query else ''}"
        return self._call(method=method, path=path, body=body, may_stream=method == "GET")

    def _call(
        self,
        *,
        method: str,
        path: str,
        body: bytes | None = None,
        send_before: float | None = None,
        may_send: Callable[[float], bool] | None = None,
        largest: int = LARGEST_BODY,
        may_stream: bool = False,
    ) -> Response:
        """The one seam: the complete response where it is a 2xx; every other outcome is an AgentStationError."""
        call = Call(
            connect_timeout=self._connect_timeout,
            total_timeout=self._total_timeout,
            send_before=send_before,
            may_send=may_send,
        )
        request = self._prepare(method=method, path=path, body=body)
        try:
            received = exchange(request=request, call=call, largest=largest, may_stream=may_stream)
        except TooLateError:
            failure: AgentStationError = SendTooLate(
                f"{method} {path} was not sent: it was too late, or no longer wanted"
            )
        except FAILURES:
            failure = _failure(call, f"{method} {path}")
        else:
            return self._judge(received, f"{method} {path}")
        # Out here, so that the libraries' exception, which knows the request's headers, is not even its context.
        raise failure

    def _prepare(self, *, method: str, path: str, body: bytes | None) -> requests.PreparedRequest:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return requests.Request(
            method,
            self._base_url + path,
            headers=headers,
            data=body,
            # As `auth` it is the last word: neither a .netrc nor a password in the URL can take its place.
            auth=self._bearer,
        ).prepare()

    def _judge(self, received: Received, what: str) -> Response:
        body = self._bearer.blot(received.body)
        document = read_json(body)
        date = _date(received.date)
        if stream := received.stream:
            stream.pieces = self._bearer.blot_pieces(stream.pieces)
        texts = document if isinstance(document, dict) else {}
        response = Response(
            status=received.status,
            body=body,
            truncated=received.truncated,
            retry_after=_retry_after(received.retry_after, date=date),
            error=read_text(texts.get("error"), longest=LONGEST_WORDS),
            message=read_text(texts.get("message"), longest=LONGEST_WORDS),
            date=date,
            stream=received.stream,
            deviations=find_in_response(
                status=received.status,
                document=None if received.truncated else document,
                is_refusal=received.status in REFUSALS,
            ),
        )
        if 200 <= response.status < 300:
            return response
        error = class_for(status=response.status, document=document)
        is_cut = document is None and not received.truncated and body.lstrip()[:1] in (b"{", b"[")
        if is_cut and not issubclass(error, NoAnswer):
            error = NoAnswer  # the rest of it is missing: without a length, its end looks like that of a whole one
        raise error(f"{what} was answered with {response.status}", response=_shorten(response))


def _check_base_url(base_url: str) -> str:
    """The URL without a final slash. Whatever requests would refuse later, or change, is refused now."""
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        if usable and not parts.query and not parts.fragment:
            (parts.hostname or "").encode("idna")
            requests.Request("GET", url).prepare()
            return url
    except ValueError:
        pass
    raise ValueError("the base URL must be http(s)://host[:port][/path], without a password, query or fragment")


def _check_header(what: str, text: str) -> str:
    if not text or any(ord(character) > 255 or unicodedata.category(character) == "Cc" for character in text):
        raise ValueError(f"{what} must be text without control characters, all of it in Latin-1, and not empty")
    return text


def _workstation_path(uid: str) -> str:
    # None of these can be quoted: they would name the list, or another folder.
    if uid in ("", ".", ".."):
        raise ValueError("no path can name this workstation")
    return f"/workstations/{quote(uid, safe='', errors='surrogatepass')}"


class _Secret(str):
    """A text that no traceback shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def _read_address(document: Mapping[str, object]) -> str:
    address = document.get("url")
    if not isinstance(address, str) or not 0 < len(address) <= LONGEST_ADDRESS:
        raise ValueError("no address, or one that is too long")
    return _Secret(address)


def _failure(call: Call, what: str) -> AgentStationError:
    """What the transport's failure means: by its facts, not by its class or words, which the peer may have written."""
    if not call.connected:
        return NoConnection(f"{what} was not sent, for there is no connection: {call.why_not}")
    if call.is_over():
        return NoAnswer(f"{what} was sent, and no complete response came in time")
    return NoAnswer(f"{what} was sent, and the connection broke before a complete response came, or it was not HTTP")


def _read[T](response: Response, read: Callable[[Mapping[str, object]], T]) -> T:
    """What `read` makes of the response's JSON object; raises UnreadableResponse."""
    document = None if response.truncated else read_json(response.body)
    if isinstance(document, dict):
        try:
            return read(document)
        except ValueError:
            pass
    raise _unreadable(response)


def _unreadable(response: Response) -> UnreadableResponse:
    words = f"the response {response.status} cannot be read as what was asked for"
    return UnreadableResponse(words, response=_shorten(response))


def _shorten(response: Response) -> Response:
    if len(response.body) <= LARGEST_BODY:
        return response
    return replace(response, body=response.body[:LARGEST_BODY], truncated=True)


def _date(header: str | None) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime((header or "").strip())
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _retry_after(header: str | None, *, date: datetime | None) -> float | None:
    """The header, in seconds or as an HTTP date, as seconds from the response's own date; 0.0 where that is past.

    None where it is unreadable. A response without a date counts as of now: clocks may differ by then.
    """
    text = (header or "").strip()
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text):
        seconds = float(text)
    elif (until := _date(text)) is not None:
        seconds = (until - (date or datetime.now(UTC))).total_seconds()
    else:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
