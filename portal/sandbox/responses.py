"""How a call may end: in a proper response, or in what a reserved name or the hook asks for."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox import names

HTML = "text/html; charset=utf-8"
JSON = "application/json"

# The sentences of the provider's own page.
SENTENCES = {
    400: "Invalid Request Format - check API documentation for proper syntax.",
    401: "Unauthorized - missing or invalid API key.",
    402: "Payment Required - you have run out of trial credits or your payment method has expired. "
    "Please add payment details to your account.",
    422: "Unprocessable Entity - cannot find requested asset associated with your API key.",
    429: "Too Many Requests - you have exceeded the rate limit for your account. "
    "Please wait before making additional requests.",
    500: "Internal Server Error - please retry your request.",
    503: "Service Unavailable - our servers have dropped the request due to high load - please retry.",
    # These the provider's page does not have.
    403: "Forbidden - the sandbox does not take this call.",
    404: "Not Found - there is nothing at this address.",
    405: "Method Not Allowed - this address does not answer to this method.",
    418: "I'm a teapot - the sandbox was asked for a status that nobody expects.",
}
GATEWAY_PAGE = (
    "<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>\n"
)


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    # What comes instead of the body, piece by piece.
    stream: Iterator[bytes] | None = None


@dataclass(frozen=True, kw_only=True)
class Response:
    """One way for a call to end. Without a reply of its own it ends in what the store answers."""

    how: str = "answer"  # or hang, reset
    reply: Reply | None = None
    delay: float = 0.0
    anomaly: str = ""
    # Seconds from its start until the lists show the workstation, and until it can be read singly.
    listed_after: float = 0.0
    read_after: float = 0.0
    # Whether the call does what it asks for, whatever is answered.
    carried_out: bool = True


def reply_json(document: object, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(document).encode())


def reply_error(status: int, message: str = "", **headers: str) -> Reply:
    """An error as the provider words it; `message` says more where we know more."""
    sentence = SENTENCES.get(status, f"Status {status}")
    words = {"error": sentence.partition(" - ")[0], "message": message or sentence}
    return Reply(
        status=status,
        body=json.dumps(words).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def _fail(reply: Reply, *, made: bool = False) -> Response:
    return Response(reply=reply, carried_out=made)


def _page(status: int, title: str) -> Reply:
    return Reply(status=status, body=GATEWAY_PAGE.format(title=title).encode(), content_type=HTML)


BY_NAME: dict[str, Response] = {
    **{name.uid: _fail(reply_error(name.status)) for name in names.RESERVED if name.status},
    "fail-429-retry-3": _fail(reply_error(429, Retry_After="3")),
    "fail-500-made": _fail(reply_error(500), made=True),
    "fail-502": _fail(_page(502, "502 Bad Gateway")),
    "fail-503-html": _fail(_page(503, "503 Service Temporarily Unavailable")),
    "hang": Response(how="hang", carried_out=False),
    "hang-made": Response(how="hang"),
    "reset": Response(how="reset", carried_out=False),
    "reset-made": Response(how="reset"),
    "garbage": _fail(_page(200, "Welcome to nginx!")),
    "unknown-status": Response(anomaly="unknown-status"),
    "new-fields": Response(anomaly="new-fields"),
    "no-workspace": Response(anomaly="no-workspace"),
}
BY_PREFIX: dict[str, Callable[[float], Response]] = {
    "slow": lambda seconds: Response(delay=seconds),
    "late-list": lambda seconds: Response(listed_after=seconds),
    "late-read": lambda seconds: Response(read_after=seconds),
}


def find(uid: str) -> Response | None:
    """The response that a reserved name stands for; None for any other UID."""
    timed = names.read_timed(uid)
    return BY_NAME.get(uid) if timed is None else BY_PREFIX[timed[0]](timed[1])


def _make_unknown(document: dict[str, Any]) -> dict[str, Any]:
    if "startedAt" in document:
        document["type"] = "quantum"
        # A released workstation stays completed, or nobody could ever see it end.
        document["status"] = "hibernating" if document["status"] == "active" else document["status"]
    if "level" in document:
        document["level"] = "trace"
    return document


_ANOMALIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "unknown-status": _make_unknown,
    "new-fields": lambda document: {**document, "region": "eu-moon-1", "labels": {"tier": 3, "tags": ["new", None]}},
    "no-workspace": lambda document: {name: value for name, value in document.items() if name != "workspace"},
}


def add_anomaly(anomaly: str, document: Any) -> Any:
    """The document with the anomaly in each of its objects; unchanged for the empty anomaly."""
    if not anomaly:
        return document
    if isinstance(document, list):
        return [add_anomaly(anomaly, item) for item in document]
    if isinstance(document, dict):
        return _ANOMALIES[anomaly]({name: add_anomaly(anomaly, value) for name, value in document.items()})
    return document
