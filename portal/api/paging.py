"""The pages of a list, newest first, by limit, before, after and cursor."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl

from django.core import signing
from django.db.models import QuerySet

from portal import models
from portal.api.answers import Refusal
from portal.services.search import paging

_LIMITS = {str(number): number for number in range(1, 101)}
_TIMES = {"before": "created_at__lt", "after": "created_at__gt"}
_SIGNER = signing.Signer(salt="portal cursors")

type Rows = QuerySet[models.Workstation]


def read_page(rows: Rows, text: str) -> tuple[list[models.Workstation], dict[str, str | None]]:
    """The page that a query asks for, and the cursors of its neighbours. Raises Refusal."""
    query = dict(parse_qsl(text, keep_blank_values=True))
    if (limit := _LIMITS.get(query.get("limit", "20"))) is None:
        raise Refusal(400, f"limit must be from 1 to {len(_LIMITS)}.")
    times, edge = {name: query[name] for name in _TIMES if name in query}, dict[str, int]()
    try:
        if "cursor" in query:
            times, edge = _SIGNER.unsign_object(query["cursor"])
        rows = rows.filter(**{_TIMES[name]: _read_time(text) for name, text in times.items()})
    except signing.BadSignature:
        raise Refusal(400, "cursor must be one that a list has returned.") from None
    except (ValueError, OverflowError):
        raise Refusal(400, "before and after must be times such as 2021-04-07T10:30:00Z.") from None
    page = paging.read_rows(rows=rows, size=limit, **edge)
    older = _SIGNER.sign_object([times, {"before": page.older}]) if page.older else None
    newer = _SIGNER.sign_object([times, {"after": page.newer}]) if page.newer else None
    return page.rows, {"next_cursor": older, "previous_cursor": newer}


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
