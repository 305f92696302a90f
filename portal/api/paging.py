"""The pages of a list, newest first, by limit, before, after and cursor."""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from django.db.models import QuerySet

from portal import models
from portal.api.answers import Refusal
from portal.services.search import paging

_LIMITS = {str(number): number for number in range(1, 101)}
_TIMES = {"before": "created_at__lt", "after": "created_at__gt"}
_EDGES = {"older": "before", "newer": "after"}

type Rows = QuerySet[models.Workstation]


def read_page(rows: Rows, text: str) -> tuple[list[models.Workstation], dict[str, str | None]]:
    """The page that a query asks for, and the cursors of its neighbours. Raises Refusal."""
    query = dict(parse_qsl(text, keep_blank_values=True))
    if (limit := _LIMITS.get(query.get("limit", "20"))) is None:
        raise Refusal(400, f"limit must be from 1 to {len(_LIMITS)}.")
    window = _read_cursor(query["cursor"]) if "cursor" in query else {}
    times = {name: text for name, text in (window or query).items() if name in _TIMES}
    try:
        rows = rows.filter(**{_TIMES[name]: _read_time(text) for name, text in times.items()})
        edges = {_EDGES[name]: _read_id(text) for name, text in window.items() if name not in _TIMES}
    except (KeyError, ValueError, OverflowError):
        raise Refusal(400, "before and after must be times such as 2021-04-07T10:30:00Z.") from None
    page = paging.read_rows(rows=rows, size=limit, **edges)
    cursors: dict[str, str | None] = {"next_cursor": None, "previous_cursor": None}
    for name, way, edge in (("next_cursor", "older", page.older), ("previous_cursor", "newer", page.newer)):
        if edge:
            cursors[name] = base64.urlsafe_b64encode(urlencode(times | {way: edge}).encode()).decode()
    return page.rows, cursors


def _read_cursor(text: str) -> dict[str, str]:
    try:
        if window := dict(parse_qsl(base64.b64decode(text, altchars=b"-_", validate=True).decode())):
            return window
    except ValueError:
        pass
    raise Refusal(400, "cursor must be one that a list has returned.")


def _read_id(text: str) -> int:
    if (number := models.parse_id(text)) is None:
        raise ValueError
    return number


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
