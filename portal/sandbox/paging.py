"""The windows of a list: limit, before, after and cursor, read from a query and written into the next cursor."""

import base64
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

from portal.sandbox.calls import RefusalError

DEFAULT_LIMIT = 20
MOST = 100
_CURSOR = re.compile(r"(older|newer)/([0-9]{1,18})/(-?[0-9]{1,15}\.[0-9]{6})?/(-?[0-9]{1,15}\.[0-9]{6})?")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of a list is asked for. Times are seconds since 1970, sequences those of the workstations."""

    before: float | None = None
    after: float | None = None
    older_than: int | None = None
    newer_than: int | None = None


def write_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _read_time(name: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise RefusalError(400, f"{name} must be a time such as 2021-04-07T10:30:00Z.") from None


def write_cursor(window: Window) -> str:
    """The window as an opaque word. It names a workstation, so that new ones do not shift it."""
    place = f"older/{window.older_than}" if window.newer_than is None else f"newer/{window.newer_than}"
    before, after = ("" if bound is None else f"{bound:.6f}" for bound in (window.before, window.after))
    return base64.urlsafe_b64encode(f"{place}/{before}/{after}".encode()).decode()


def _read_cursor(cursor: str) -> Window:
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        text = ""
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise RefusalError(400, "cursor must be one that a list has answered.")
    direction, number, before, after = match.groups()
    window = Window(before=float(before) if before else None, after=float(after) if after else None)
    way = {"older": "older_than", "newer": "newer_than"}[direction]
    return replace(window, **{way: int(number)})


def read_query(query: str) -> tuple[Window, int]:
    """The window and the limit that a query asks for. Raises RefusalError."""
    values = {name: texts[-1] for name, texts in parse_qs(query, keep_blank_values=True).items()}
    limit = values.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MOST:
        raise RefusalError(400, f"limit must be from 1 to {MOST}.")
    if "cursor" in values:
        return _read_cursor(values["cursor"]), int(limit)
    before, after = (_read_time(name, values[name]) if name in values else None for name in ("before", "after"))
    return Window(before=before, after=after), int(limit)
