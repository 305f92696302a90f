"""Exports: the rows that a person has found, as CSV or JSON Lines. docs/export.md describes the columns.

Written page by page while the person receives it: each page is a query of its own that begins behind the last row of
the one before, so that neither memory nor a cursor nor a transaction grows with the number of rows.
"""

import csv
import errno
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Model, OuterRef, Subquery

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.search import paging

type Row = dict[str, Any]

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}
PAGES = (50, 1_000)  # rows of the first, so that it soon begins, and of the others


def export_rows(
    *,
    actor: models.User,
    kind: str,
    form: str,
    asked: Mapping[str, str],
    find: paging.Find[int],
    newest_first: bool = True,
) -> Iterator[str]:
    """The file in pieces: `kind` is requests, workstations or events, `form` csv or jsonl. Raises KeyError for others.

    `find` gives the ids of a part of the rows. That they are exported, by which filters (`asked`), is recorded at once,
    before the first piece.
    """
    columns, read = _KINDS[kind]
    write = _FORMS[form]
    with transaction.atomic():
        audit.record(Verb.EXPORT, kind, by=actor, detail={"format": form, "filters": dict(sorted(asked.items()))})
    pages = (read(ids, actor.zone) for ids in _list_pages(find, actor=actor, newest_first=newest_first))
    return write(columns=columns, pages=pages)


def _list_pages(find: paging.Find[int], *, actor: models.User, newest_first: bool) -> Iterator[Sequence[int]]:
    """The ids of what was there when the export began: what comes meanwhile does not prolong it."""
    newest = find(paging.Slice(limit=1))
    part = paging.Slice(below=newest[0] + 1 if newest else 0, newest_first=newest_first, limit=PAGES[0])
    while ids := find(part):
        yield ids
        person = models.User.objects.filter(pk=actor.pk, is_active=True).first()
        if person is None or person.sees_all < actor.sees_all:
            # Cut off, as by a reader who is gone: the file does not look whole.
            raise ConnectionResetError(errno.ECONNRESET, "its reader may not have the rest")
        edge: Any = {"below" if newest_first else "above": ids[-1]}
        part = replace(part, limit=PAGES[1], **edge)


# --- What a row says ---


def _of_last_attempt(column: str) -> Subquery:
    made = models.Attempt.objects.filter(request=OuterRef("pk")).order_by("-number")
    return Subquery(made.values(column)[:1])


# Of each column, what the database knows it by.
_REQUESTS = {
    "number": "id",
    "requested_by": "requester__username",
    **{"workspace_asked" if name == "workspace_uid" else name: name for name in models.Request.SUBMITTED},
    "state": "status",
    "failure": "failure",
    "requested_at": "created_at",
    "ended_at": "ended_at",
    "took_seconds": "took",
    "attempts": _of_last_attempt("number"),
    "was_unknown": "was_unknown",
    "workstation": "workstation__uid",
    "workspace": "workstation__workspace__uid",
    "http_status": _of_last_attempt("http_status"),
    "error": _of_last_attempt("error"),
    "message": _of_last_attempt("message"),
}
_WITHOUT = {"attempts": 0, "workstation": "", "workspace": "", "error": "", "message": ""}  # where it has none
_EVENTS = {name: name for name in ("id", "at", "actor", "address", "http_request", "verb", "target")}
_EVENTS |= {"actor": "actor_name", "request": "request_number", "reason": "reason", "detail": "detail"}
_WORKSTATIONS = (
    *("workstation", "type", "state", "person", "request", "note", "workspace"),
    *("started_at", "ended_at", "ran_seconds", "released_by", "started_local", "ended_local"),
)


def _read(model: type[Model], columns: Mapping[str, Any], ids: Sequence[int], _: tzinfo) -> Iterator[Row]:
    rows = model._default_manager.filter(pk__in=ids).order_by("pk" if ids[0] < ids[-1] else "-pk")
    for values in rows.values_list(*columns.values()):
        yield {
            name: _WITHOUT.get(name) if value is None else round(value, 3) if isinstance(value, float) else value
            for name, value in zip(columns, values, strict=True)
        }


def _read_workstations(ids: Sequence[int], zone: tzinfo) -> Iterator[Row]:
    related = ("request__requester", "workspace", "release_requested_by")
    for row in models.Workstation.objects.filter(pk__in=ids).select_related(*related).order_by("-pk"):
        owned, by, times = row.request, row.release_requested_by, (row.created_at, row.ended_at)
        local = (f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S}" if time else "" for time in times)
        values = (
            *(row.uid, row.type, row.status if row.is_live or row.status in row.ENDED_STATUSES else "ended"),
            *(owned and owned.requester.get_username(), row.request_id, owned and owned.note),
            *(row.workspace and row.workspace.uid,),
            *(*times, row.seconds_run, by and by.get_username(), *local),
        )
        yield dict(zip(_WORKSTATIONS, values, strict=True))


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Sequence[int], tzinfo], Iterator[Row]]]] = {
    "requests": (tuple(_REQUESTS), partial(_read, models.Request, _REQUESTS)),
    "workstations": (_WORKSTATIONS, _read_workstations),
    "events": (tuple(_EVENTS), partial(_read, models.Event, _EVENTS)),
}


# --- How it is written ---

# Where a cell would begin so that it is a formula: at the start of a text, and behind whatever a spreadsheet may have
# been set to split at. Split at semicolons, our quotes mean nothing: they no longer stand at the start of a cell, and
# those of the text may. So a text that ends where a cell may begin has our quote and the end of the line behind it.
_FORMULA = re.compile(r"""\A(?=\n)|(?:\A|[,;\t\r\n])[ "]*(?=[=+\-@\t\r])|[;\t\r\n]\Z""")


def write_csv(*, columns: tuple[str, ...], pages: Iterable[Iterable[Row]]) -> Iterator[str]:
    """A table in which no spreadsheet finds a formula, with the mark by which they know UTF-8, and lines as they end
    them."""
    yield "\ufeff" + _join([columns])
    for page in pages:
        yield _join([_write_cell(row[name]) for name in columns] for row in page)


def _write_moment(time: datetime) -> str:
    """ISO 8601, in UTC, always with six digits."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _join(lines: Any) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(lines)
    return buffer.getvalue()


def _write_cell(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return _write_moment(value)
        case dict():
            return _write_cell(json.dumps(value, ensure_ascii=False, sort_keys=True))
        case str():
            return _FORMULA.sub(r"\g<0>'", value)
        case _:
            return value


def _write_jsonl(*, columns: tuple[str, ...], pages: Iterable[Iterable[Row]]) -> Iterator[str]:
    """Nothing is defused here: no spreadsheet opens it."""
    encoder = json.JSONEncoder(ensure_ascii=False, default=_write_moment)
    for page in pages:
        yield "".join(f"{encoder.encode(row)}\n" for row in page)


_FORMS = {"csv": write_csv, "jsonl": _write_jsonl}
