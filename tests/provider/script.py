"""The script: answers that a test has laid out for the next calls.

An answer has `on` (the operation; `POST /workstations` if it has none, `*` for any), `times`, and either `name`, one of
the reserved names, or `status`, `headers` and `body`. `made`: whether the call does what it asks for, whatever is
answered; with a status of its own it does not. `delay`: seconds before the answer. `uid`: the ID that the answer to a
POST names, with a fresh one for each `*`; the workstation has it, unless another has it already. `listed_after`,
`read_after`: seconds until it shows.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from portal.sandbox import names, responses
from portal.sandbox.provider import CONNECTIONS, POST
from portal.sandbox.responses import Reply, Response
from tests.provider import asked
from tests.provider.asked import Asked
from tests.provider.wishes import ScriptError, is_number, require

LISTS = ("GET /workstations", "GET /workstations/history")
TYPES, ONE = "GET /workstations/types", "GET /workstations/{id}"
OTHER = "/workstations/{id}/other"  # what the portal does not know
OPERATIONS = (POST, *LISTS, TYPES, ONE, "DELETE", *CONNECTIONS.values(), OTHER, "*")
# What becomes of the call, and of what it makes, whatever is answered.
DEEDS = frozenset({"delay", "made", "uid", "listed_after", "read_after"})
KEYS = frozenset({"on", "name", "status", "headers", "body", "times"}) | DEEDS
# A test that asks for more has made a mistake, and would hold a thread for as long.
MOST_TIMES = 100_000
_STARTED = re.compile(rb'(?<="startedAt": ")[^"]+')


@dataclass(kw_only=True)
class Line:
    """An answer, the operation that it is for, and how often it is given."""

    on: str
    response: Response
    times: int


def _read_reply(answer: Mapping[str, Any]) -> Reply | None:
    status, body, headers = answer.get("status"), answer.get("body"), answer.get("headers", {})
    require(isinstance(headers, dict), "headers must be an object")
    sound = all(
        isinstance(text, str) and text.isascii() and text.isprintable() for pair in headers.items() for text in pair
    )
    require(sound, "headers must be printable ASCII strings")
    headers = {name.title(): value for name, value in headers.items()}
    if status is None:
        require(body is None and not headers, "body and headers need a status")
        return None
    require(isinstance(status, int) and 200 <= status <= 599, "status must be from 200 to 599")
    if body is None:
        reply = responses.reply_error(status) if status >= 400 else Reply(status=status)
        return replace(reply, headers=headers)
    if isinstance(body, str | bytes):
        # A lone surrogate in a script is how a test asks for bytes that are not UTF-8.
        raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
        kind = responses.HTML if raw.lstrip().startswith(b"<") else responses.JSON
        return Reply(status=status, body=raw, content_type=kind, headers=headers)
    return Reply(status=status, body=json.dumps(body).encode(), headers=headers)


def _read_response(answer: Mapping[str, Any]) -> Response:
    if "name" in answer:
        require(
            not KEYS & {"status", "headers", "body"} & answer.keys(), "a name brings its own status, headers and body"
        )
        found = asked.find(str(answer["name"]))
        if found is None:
            raise ScriptError(f"{answer['name']!r} is not a reserved name")
        # In whatever is answered: the store does it to what a POST makes alone.
        response = replace(found, amend=partial(responses.add_anomaly, found.anomaly))
    else:
        reply = _read_reply(answer)
        response = Asked(reply=reply, carried_out=reply is None)
    deeds = {"carried_out" if key == "made" else key: value for key, value in answer.items() if key in DEEDS}
    return replace(response, **deeds)


def read_line(answer: Any) -> Line:
    """An answer as a test writes it; raises ScriptError."""
    require(isinstance(answer, dict), "an answer must be an object")
    require(answer.keys() <= KEYS, f"an answer may have {', '.join(sorted(KEYS))}")
    on, times = answer.get("on", POST), answer.get("times", 1)
    require(on in OPERATIONS, f"on must be one of {', '.join(OPERATIONS)}")
    require(isinstance(times, int) and 1 <= times <= MOST_TIMES, f"times must be from 1 to {MOST_TIMES}")
    for key in ("delay", "listed_after", "read_after"):
        seconds = answer.get(key, 0)
        sound = is_number(seconds) and 0 <= seconds <= names.SLOWEST
        require(sound, f"{key} must be from 0 to {names.SLOWEST} seconds")
    require(isinstance(answer.get("uid", ""), str), "uid must be a string")
    require(isinstance(answer.get("made", False), bool), "made must be true or false")
    return Line(on=on, response=_read_response(answer), times=times)


class Script:
    """The answers still to be given, in order; each is used up by the first call that it fits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[Line] = []

    def add(self, answers: Any) -> None:
        """Lay out more answers: all of them, or none if one makes no sense."""
        lines = [read_line(answer) for answer in (answers if isinstance(answers, list) else [answers])]
        with self._lock:
            self._lines += lines

    def take(self, operation: str) -> Response | None:
        with self._lock:
            for line in self._lines:
                if line.on in (operation, "*"):
                    line.times -= 1
                    if not line.times:
                        self._lines.remove(line)
                    return line.response
        return None

    def age(self, seconds: float) -> None:
        """As if what the answers name had begun so much earlier."""

        def move(found: re.Match[bytes]) -> bytes:
            try:
                moved = datetime.fromisoformat(found[0].decode()) - timedelta(seconds=seconds)
            except (ValueError, OverflowError):
                return found[0]
            return moved.isoformat().encode()

        with self._lock:
            for line in self._lines:
                if reply := line.response.reply:
                    body = _STARTED.sub(move, reply.body)
                    line.response = replace(line.response, reply=replace(reply, body=body))

    def count_left(self) -> Counter[str]:
        with self._lock:
            left: Counter[str] = Counter()
            for line in self._lines:
                left[line.on] += line.times
            return left

    def clear(self) -> None:
        with self._lock:
            self._lines.clear()
