"""The windows of a list: limit, before, after and cursor, read from a query and written into the next cursor."""

import base64
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

DEFAULT_LIMIT = 20
MOST = 100
_CURSOR = re.compile(
    r"(older|newer|place)/([0-9]{1,18})/(-?[0-9]{1,15}\.[0-9]{6})?/(-?[0-9]{1,15}\.[0-9]{6})?/([0-9]{1,9})"
)


class QueryError(ValueError):
    """A query that the list cannot follow; its text says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of a list is asked for. Times are seconds since 1970, sequences those of the workstations.

    `place` counts from the newest: what it names shifts when workstations come or end. `lap` tells a
    second walk through the list from the first.
    """

    before: float | None = None
    after: float | None = None
    older_than: int | None = None
    newer_than: int | None = None
    place: int | None = None
    lap: int = 0

    def move_older(self, sequence: int) -> "Window":
        """The part that follows the workstation of this sequence."""
        return replace(self, older_than=sequence, newer_than=None)

    def move_newer(self, sequence: int) -> "Window":
        """The part that goes before the workstation of this sequence."""
        return replace(self, older_than=None, newer_than=sequence)

    def move_to(self, place: int) -> "Window":
        """The part that begins at this place."""
        return replace(self, place=place)

    def start_again(self) -> "Window":
        """The window of the first page, for a list that never ends."""
        return replace(self, older_than=None, newer_than=None, place=0, lap=self.lap + 1)


def write_time(seconds: float) -> str:
    """A time as the provider writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _read_time(name: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise QueryError(f"{name} must be a time such as 2021-04-07T10:30:00Z.") from None


def write_cursor(window: Window) -> str:
    """The window as an opaque word. It names a workstation, so that new ones do not shift it; or else a place."""
    ways = (("place", window.place), ("newer", window.newer_than), ("older", window.older_than))
    direction, number = next((way, number) for way, number in ways if number is not None)
    before, after = ("" if bound is None else f"{bound:.6f}" for bound in (window.before, window.after))
    return base64.urlsafe_b64encode(f"{direction}/{number}/{before}/{after}/{window.lap}".encode()).decode()


def _read_cursor(cursor: str) -> Window:
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        text = ""
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise QueryError("cursor must be one that a list has answered.")
    direction, number, before, after, lap = match.groups()
    window = Window(before=float(before) if before else None, after=float(after) if after else None, lap=int(lap))
    move = {"older": window.move_older, "newer": window.move_newer, "place": window.move_to}[direction]
    return move(int(number))


def read_query(query: str) -> tuple[Window, int]:
    """The window and the limit that a query asks for."""
    values = {name: texts[-1] for name, texts in parse_qs(query, keep_blank_values=True).items()}
    limit = values.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MOST:
        raise QueryError(f"limit must be from 1 to {MOST}.")
    if "cursor" in values:
        return _read_cursor(values["cursor"]), int(limit)
    before, after = (_read_time(name, values[name]) if name in values else None for name in ("before", "after"))
    return Window(before=before, after=after), int(limit)
