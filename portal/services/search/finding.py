"""Finds requests, and workstations that ran in a period, by what a person is looking for, a page at a time.

django-filter makes one QuerySet of a form's fields. Here a page is a range of numbers that has to bound two tables, and
words choose by the numbers of which table. Whoever saves a text by which a request is found calls `save_text`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Model, Q, QuerySet

from portal import models
from portal.db.connection import execute
from portal.models.workstation import RUN_DIGITS, WorkstationQuerySet
from portal.services.search.paging import Slice

# Rows written at about the same time may have their ids in another order than their times.
NEIGHBOURS = 1_000
_LONGEST_ERROR = 500  # characters of each text of an error
# What is there already is not added once more: many attempts end in the same error.
_ADD = """
    INSERT INTO portal_searchentry AS kept (request_id, words) VALUES (%s, %s)
    ON CONFLICT (request_id) DO UPDATE SET words = kept.words || ' ' || excluded.words
    WHERE replace(kept.words, excluded.words, '') = kept.words
"""


def find_requests(*, lookups: Mapping[str, Any], words: Sequence[str] = (), part: Slice) -> list[int]:
    """The ids of the requests that fit all lookups and words, in the order of the slice."""
    states = models.Request.Status
    if lookups.get("failure") and lookups.get("status", states.FAILED) not in (states.FAILED, states.UNKNOWN):
        return []  # a constraint of the database: none of the others has a failure
    since, until = lookups.get("created_at__gte"), lookups.get("created_at__lt")
    above, below = find_bounds(model=models.Request, column="created_at", since=since, until=until)
    part = replace(part, above=max(above, part.above), below=min(below, part.below))
    rows = models.Request.objects.filter(**lookups)
    for word in words:
        rows = rows.filter(search_entry__words__contains=models.fold(word))
    if words:  # PostgreSQL does not see that what bounds the requests bounds their texts.
        rows = bound_ids(rows=rows, key="search_entry__pk", above=part.above, below=part.below)
    return part.cut(rows.values_list("pk", flat=True))


def find_workstations(
    *, rows: WorkstationQuerySet, since: datetime | None, until: datetime | None, part: Slice
) -> list[int]:
    """The ids, in order, of those of the rows that began before the one time and had not ended before the other.

    Those that have ended are looked for by their lengths: what ran for less than 100 s began 100 s before `since` at
    most. So about ten are read for each that is found, however many there are.
    """
    find = partial(find_bounds, model=models.Workstation, column="first_seen_at")
    rows = rows.filter(Q(first_seen_at__lt=until) | Q(created_at__lt=until)) if until else rows
    part = replace(part, below=min(find(since=None, until=until)[1], part.below))
    ways = [rows.running() if since else rows]
    if since:
        for digits in range(1, 10):
            above, _ = find(since=since - timedelta(seconds=10**digits), until=None)
            alike = rows.alias(digits=RUN_DIGITS).filter(digits=digits, ended_at__gte=since)
            ways.append(bound_ids(rows=alike, above=above))
    found = {pk for way in ways for pk in part.cut(way.values_list("pk", flat=True))}
    return sorted(found, reverse=part.newest_first)[: part.limit]


def find_bounds(*, model: type[Model], column: str, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Two ids between which all rows of the period lie, and a few others near its ends."""
    above = find_first(model=model, column=column, moment=since) - NEIGHBOURS if since else 0
    below = find_first(model=model, column=column, moment=until) + NEIGHBOURS if until else models.MAX_ID
    return above, below


def bound_ids[Rows: QuerySet[Any]](*, rows: Rows, above: int, below: int = models.MAX_ID, key: str = "pk") -> Rows:
    """Those rows whose key is between the two, neither included."""
    return rows.filter(**{f"{key}__gt": above, f"{key}__lt": below})


def find_first(*, model: type[Model], column: str, moment: datetime) -> int:
    """The id of about the first row that is not before the moment; above all ids where there is none.

    Rows up to NEIGHBOURS ids away may lie on the other side. One query, which halves the ids again and again: as
    many looks at the primary key as the number of rows has binary digits.
    """
    table, time = model._meta.db_table, connection.ops.adapt_datetimefield_value(moment)
    is_before = f"(SELECT r.{column} < %s FROM {table} r WHERE r.id >= (low + high) / 2 ORDER BY r.id LIMIT 1)"  # noqa: S608
    statement = f"""
        WITH RECURSIVE step (low, high) AS (
            SELECT coalesce((SELECT min(id) FROM {table}), 1), coalesce((SELECT max(id) FROM {table}), 0) + 1
            UNION ALL
            SELECT CASE WHEN {is_before} THEN (low + high) / 2 + 1 ELSE low END,
                CASE WHEN {is_before} THEN high ELSE (low + high) / 2 END
            FROM step WHERE low < high
        )
        SELECT low FROM step WHERE low >= high"""  # noqa: S608 (our own names)
    [[number]] = execute(statement, [time, time])
    return int(number)


def save_text(*, number: int, rows: Iterable[Model]) -> None:
    """Let the request be found by what these rows, which are its own, say of it. What was said before stays."""
    text = " ".join(part for row in rows for part in _list_parts(row) if part)
    if text:
        execute(_ADD, [number, models.fold(text)])


def _list_parts(row: Model) -> list[str]:
    match row:
        case models.Request():
            return [getattr(row, name) for name in row.WORDS]
        case models.Attempt() | models.LateResponse():
            return [row.error[:_LONGEST_ERROR], row.message[:_LONGEST_ERROR]]
        case models.Workstation():
            return [row.uid, row.workspace.uid if row.workspace else ""]
    return []
