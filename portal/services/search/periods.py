"""Finds where a period begins among rows whose ids follow their times, without an index of the times."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

# Rows written at about the same time may have their ids in another order than their times.
NEIGHBOURS = 1_000
LARGEST = 2**63 - 1


def find_bounds(*, model: type[Model], column: str, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Two ids between which all rows of the period lie, and a few others near its ends."""
    above = find_first(model=model, column=column, moment=since) - NEIGHBOURS if since else 0
    below = find_first(model=model, column=column, moment=until) + NEIGHBOURS if until else LARGEST
    return above, below


def bound_ids[Rows: QuerySet[Any]](*, rows: Rows, key: str, above: int, below: int) -> Rows:
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
    with connection.cursor() as cursor:
        cursor.execute(statement, [time, time])
        return int(cursor.fetchone()[0])
