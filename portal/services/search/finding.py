"""Finds requests by what a person is looking for, a page at a time, as fast in a million as in a thousand.

One filter alone is a condition on the request, which has an index for each. Several together, and words, are asked of
the search index, which intersects what it knows of each: no combination walks through the requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Max, Min

from portal import models
from portal.services.search import tags

_LARGEST = 2**63 - 1
_NEIGHBOURS = 1_000  # requests made at about the same time may have their numbers in another order than their times
_WINDOWS = (2_000, 20_000)  # entries at the near end of the list


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What is looked for; all of it must fit. Empty values ask for nothing.

    `people` are ids; None is everybody. `longer_than` is in seconds, from the submission to the end.
    """

    number: int | None = None
    words: Sequence[str] = ()
    status: str = ""
    type: str = ""
    failure: str = ""
    people: Sequence[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    was_unknown: bool = False
    longer_than: float | None = None


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A part of the list: the numbers between two, from one of its ends, so many at most."""

    above: int = 0
    below: int = _LARGEST
    newest_first: bool = True
    limit: int = 1_000

    @property
    def order(self) -> str:
        return "DESC" if self.newest_first else "ASC"


def find_requests(*, filters: Filters, part: Slice) -> list[int]:
    """The numbers of the requests that fit, in order."""
    if filters.failure and filters.status not in ("", models.Request.Status.FAILED, models.Request.Status.UNKNOWN):
        return []  # a constraint of the database: none of the others has a failure
    bounds = _find_bounds(filters, part)
    if bounds is None or filters.people == []:
        return []
    ask = _ASK_INDEX[connection.vendor] if _asks_index(filters) else _ask_requests
    statement, values = ask(filters, bounds)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [number for (number,) in cursor.fetchall()]


def _asks_index(filters: Filters) -> bool:
    """Whether no index of the requests themselves answers it."""
    chosen = [filters.status, filters.type, filters.failure, *(filters.people or ())]
    asks_more = bool(filters.words) or filters.was_unknown or filters.longer_than is not None
    return asks_more or sum(map(bool, chosen)) > 1


def _find_bounds(filters: Filters, part: Slice) -> Slice | None:
    """The part, narrowed to the numbers of the period: they grow with the time. None where it is empty."""
    above, below = part.above, part.below
    if filters.number is not None:
        above, below = max(above, filters.number - 1), min(below, filters.number + 1)
    if filters.since is not None:
        made = models.Request.objects.filter(created_at__gte=filters.since).order_by("created_at", "id")
        first = made[:_NEIGHBOURS].aggregate(first=Min("id"))["first"]
        above = _LARGEST if first is None else max(above, first - 1)
    if filters.until is not None:
        made = models.Request.objects.filter(created_at__lt=filters.until).order_by("-created_at", "-id")
        last = made[:_NEIGHBOURS].aggregate(last=Max("id"))["last"]
        below = 0 if last is None else min(below, last + 1)
    if above >= below:
        return None
    return Slice(above=above, below=below, newest_first=part.newest_first, limit=part.limit)


def _ask_requests(filters: Filters, part: Slice) -> tuple[str, list[Any]]:
    """In the order of the index on what is chosen, if anything is.

    PostgreSQL must not know that it is one value alone: it would order by the number alone, for which it may take
    another index and walk past all that do not fit.
    """
    person = filters.people[0] if filters.people else None
    columns = {"status": filters.status, "type": filters.type, "failure": filters.failure, "requester_id": person}
    chosen = {column: value for column, value in columns.items() if value}
    on_sqlite = connection.vendor == "sqlite"
    conditions = ["r.id > %s", "r.id < %s"]
    values: list[Any] = [part.above, part.below]
    for column, value in chosen.items():
        conditions.append(f"r.{column} = {'%s' if on_sqlite else 'ANY(%s)'}")
        values.append(value if on_sqlite else [value])
    exactly, times = _compare_times(filters)
    order = [f"r.{column} {'ASC' if part.newest_first else 'DESC'}" for column in chosen]
    statement = (
        f"SELECT r.id FROM portal_request r WHERE {' AND '.join([*conditions, *exactly])}"  # noqa: S608 (no values)
        f" ORDER BY {', '.join([*order, f'r.id {part.order}'])} LIMIT %s"
    )
    return statement, [*values, *times, part.limit]


# --- The search index ---


def _ask_sqlite(filters: Filters, part: Slice) -> tuple[str, list[Any]]:
    """FTS5 reads the lists of all words and tags side by side, in the order of the numbers, until it has enough."""
    phrases = [f"({' OR '.join(_quote(f'|{tag}') for tag in each)})" for each in _list_tags(filters)]
    wanted = [f"{{tags}} : ({' AND '.join(phrases)})"] if phrases else []
    wanted += [f"{{words}} : {_quote(word)}" for word in filters.words]
    exactly, values = _compare(
        filters, took="round((julianday(r.ended_at) - julianday(r.created_at)) * 86400000) / 1000"
    )
    matches = ["e.portal_searchentry MATCH %s"] if wanted else []
    conditions = " AND ".join([*matches, "e.rowid > %s", "e.rowid < %s", *exactly])
    statement = (
        f"SELECT e.rowid FROM portal_searchentry e"  # noqa: S608 (no values)
        f" WHERE {conditions} ORDER BY e.rowid {part.order} LIMIT %s"
    )
    asked = [" AND ".join(wanted)] if wanted else []
    return statement, [*asked, part.above, part.below, *values, part.limit]


def _quote(text: str) -> str:
    """A phrase of FTS5."""
    return f'"{text.replace('"', '""')}"'


def _ask_postgresql(filters: Filters, part: Slice) -> tuple[str, list[Any]]:
    """What is frequent is found in a window at the near end of the list; else GIN gives all that fit, to be sorted.

    Left alone, PostgreSQL would guess which of the two is better, and walk through the table where it guesses wrong.
    """
    conditions, given = _compare(filters, took="extract(epoch FROM r.ended_at - r.created_at)")
    for each in _list_tags(filters):
        conditions.append("e.tags @> %s" if len(each) == 1 else "e.tags && %s")
        given.append(each)
    for word in filters.words:
        conditions.append("e.words LIKE %s")
        given.append(f"%{escape_pattern(text=word.lower())}%")
    fit, onwards, limit = " AND ".join(["true", *conditions]), f"ORDER BY e.rowid {part.order} LIMIT %s", part.limit
    near = f"""
        SELECT e.rowid FROM (
            SELECT * FROM portal_searchentry e WHERE e.rowid > %s AND e.rowid < %s {onwards}
        ) e WHERE {fit}"""  # noqa: S608 (no values)
    statement = f"""
        WITH near AS MATERIALIZED ({near} {onwards}),
        far AS MATERIALIZED ({near} AND (SELECT count(*) FROM near) < %s {onwards})
        SELECT rowid FROM near WHERE (SELECT count(*) FROM near) = %s
        UNION ALL SELECT rowid FROM far WHERE (SELECT count(*) FROM far) = %s
        UNION ALL (
            SELECT e.rowid FROM portal_searchentry e WHERE e.rowid + 0 > %s AND e.rowid + 0 < %s AND {fit}
            AND (SELECT count(*) FROM near) < %s AND (SELECT count(*) FROM far) < %s
            ORDER BY e.rowid + 0 {part.order} LIMIT %s
        )"""  # noqa: S608 (no values)
    bounds = [part.above, part.below]
    windows = [[*bounds, window, *given] for window in _WINDOWS]
    return statement, [
        *windows[0],
        limit,
        *windows[1],
        limit,
        limit,
        limit,
        limit,
        *bounds,
        *given,
        limit,
        limit,
        limit,
    ]


def escape_pattern(*, text: str) -> str:
    """A text within a pattern of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _list_tags(filters: Filters) -> list[list[str]]:
    """Of each of them a request must have one."""
    chosen = {"status": filters.status, "type": filters.type, "failure": filters.failure}
    wanted = [[tags.tag_value(column=column, value=value)] for column, value in chosen.items() if value]
    if filters.people is not None:
        wanted.append([tags.tag_person(person=person) for person in filters.people])
    if filters.was_unknown:
        wanted.append([tags.WAS_UNKNOWN])
    if filters.longer_than is not None:
        wanted.append([tags.tag_longer(seconds=filters.longer_than)[0]])
    return wanted


def _compare(filters: Filters, *, took: str) -> tuple[list[str], list[Any]]:
    """What the index knows only roughly, exactly: asked of each request that it names, in no other order."""
    times, values = _compare_times(filters)
    if filters.longer_than is not None and not tags.tag_longer(seconds=filters.longer_than)[1]:
        times, values = [*times, f"{took} > %s"], [*values, filters.longer_than]
    asked = f"(SELECT {' AND '.join(times)} FROM portal_request r WHERE r.id = e.rowid)"  # noqa: S608 (no values)
    return [asked] if times else [], values


def _compare_times(filters: Filters) -> tuple[list[str], list[Any]]:
    # Not the bare column: its own index would lead through the whole period.
    made = "coalesce(r.created_at, r.queued_at)"
    asked = [(f"{made} >= %s", filters.since), (f"{made} < %s", filters.until)]
    given = [(condition, time) for condition, time in asked if time is not None]
    if not given:
        return [], []
    # As a CASE: of two bounds PostgreSQL would guess that hardly any row lies between them, and sort all there are.
    both = " AND ".join(condition for condition, _time in given)
    adapt = connection.ops.adapt_datetimefield_value
    return [f"CASE WHEN {both} THEN true ELSE false END"], [adapt(time) for _condition, time in given]


_ASK_INDEX = {"sqlite": _ask_sqlite, "postgresql": _ask_postgresql}
