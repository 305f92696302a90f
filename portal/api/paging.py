"""The pages of a list, newest first, by limit, before, after and cursor."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from django.db.models import QuerySet

from portal import models
from portal.api.answers import Refusal

_LIMITS = {str(number): number for number in range(1, 101)}
_TIMES = {"before": "created_at__lt", "after": "created_at__gt"}
_BOUNDS = _TIMES | {"older": "pk__lt", "newer": "pk__gt"}

type Rows = QuerySet[models.Workstation]


def read_page(rows: Rows, text: str) -> tuple[list[models.Workstation], dict[str, str | None]]:
    """The page that a query asks for, and the cursors of its neighbours. Raises Refusal."""
    query = dict(parse_qsl(text, keep_blank_values=True))
    if (limit := _LIMITS.get(query.get("limit", "20"))) is None:
        raise Refusal(400, f"limit must be from 1 to {len(_LIMITS)}.")
    times = {name: query[name] for name in _TIMES if name in query}
    window = _read_cursor(query["cursor"]) if "cursor" in query else times
    # Towards newer ones a page is the nearest, not the newest.
    order = "pk" if "newer" in window else "-pk"
    found = sorted(_narrow(rows, window).order_by(order)[:limit], key=lambda row: -row.pk)
    cursors: dict[str, str | None] = {"next_cursor": None, "previous_cursor": None}
    for name, way, place in (("next_cursor", "older", -1), ("previous_cursor", "newer", 0)):
        beside = {one: text for one, text in window.items() if one in _TIMES}
        if found and _narrow(rows, beside := beside | {way: str(found[place].pk)}).exists():
            cursors[name] = base64.urlsafe_b64encode(urlencode(beside).encode()).decode()
    return found, cursors


def _read_cursor(text: str) -> dict[str, str]:
    try:
        if window := dict(parse_qsl(base64.b64decode(text, altchars=b"-_", validate=True).decode())):
            return window
    except ValueError:
        pass
    raise Refusal(400, "cursor must be one that a list has returned.")


def _narrow(rows: Rows, window: Mapping[str, str]) -> Rows:
    try:
        return rows.filter(**{_BOUNDS[name]: _read_bound(name, text) for name, text in window.items()})
    except (KeyError, ValueError, OverflowError):
        raise Refusal(400, "before and after must be times such as 2021-04-07T10:30:00Z.") from None


def _read_bound(name: str, text: str) -> datetime | int | None:
    if name not in _TIMES:
        return models.parse_id(text)  # None is no bound to Django, and refused
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
