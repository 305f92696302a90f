"""Rows in bulk: COPY on PostgreSQL, executemany on SQLite.

A column that is not filled gets what Django would give it, so that a new one with a default needs no word here.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import BinaryField, DateTimeField, Field, JSONField, Model, UUIDField
from django.db.models.fields import NOT_PROVIDED


def read_newest(model: type[Model]) -> int:
    """The highest id in the table, 0 where it is empty."""
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
    return int(newest or 0)


def insert_rows(model: type[Model], *, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows of the columns' values, as Python has them, in the caller's transaction."""
    names, rest = _list_columns(model, columns)
    changes = _list_changes(model, columns)
    finished = (_finish(row, changes, rest) for row in rows)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for row in finished:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(names))
            cursor.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 (our own names)
                list(finished),
            )


def tidy(tables: Iterable[type[Model]]) -> None:
    """Set the counters of ids behind the rows, and let the database learn what is in its tables."""
    with connection.cursor() as cursor:
        for model in tables:
            table = model._meta.db_table
            if connection.vendor == "postgresql":
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
                )
                cursor.execute(f"VACUUM (ANALYZE) {table}")
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM (ANALYZE) portal_searchentry")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _list_columns(model: type[Model], columns: Sequence[str]) -> tuple[list[str], tuple[Any, ...]]:
    """The columns to be written, and the values of those at the end that are the same in every row."""
    given = [_find(model, name) for name in columns]
    others = [field for field in model._meta.concrete_fields if field not in given and not field.primary_key]
    fixed = [field for field in others if field.db_default is NOT_PROVIDED]
    rest = tuple(field.get_db_prep_save(field.get_default(), connection) for field in fixed)
    return [str(field.column) for field in [*given, *fixed]], rest


def _find(model: type[Model], name: str) -> "Field[Any, Any]":
    return next(field for field in model._meta.concrete_fields if field.attname == name)


def _list_changes(model: type[Model], columns: Sequence[str]) -> list[tuple[int, Callable[[Any], Any]]]:
    """What has to be done to the values of some columns before the database takes them."""
    found = ((number, _find_change(_find(model, name))) for number, name in enumerate(columns))
    return [(number, change) for number, change in found if change is not None]


def _find_change(field: "Field[Any, Any]") -> Callable[[Any], Any] | None:
    if isinstance(field, JSONField):
        return json.dumps
    if connection.vendor == "postgresql" or not isinstance(field, DateTimeField | UUIDField | BinaryField):
        return None
    if isinstance(field, DateTimeField):
        # Six digits always: times are compared as texts there.
        return lambda moment: moment and moment.isoformat(" ", "microseconds")[:26]
    return (lambda uuid: uuid.hex) if isinstance(field, UUIDField) else None


def _finish(
    row: Sequence[Any], changes: list[tuple[int, Callable[[Any], Any]]], rest: tuple[Any, ...]
) -> Sequence[Any]:
    values = [*row, *rest]
    for number, change in changes:
        values[number] = change(values[number])
    return values
