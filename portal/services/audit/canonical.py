"""The canonical form: how what is signed is written down, byte by byte. docs/audit-log.md.

Both databases give the same form. It is read with SQL of our own, not with the ORM: what is signed is what is stored,
not what Django makes of it, and a table of millions is read in seconds.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Model

type Row = list[Any]

_TIME_WITHOUT_FRACTION = 19  # characters


def read_rows(
    *,
    model: type[Model],
    names: Sequence[str],
    where: str = "true",
    values: Sequence[object] = (),
    order: str = "",
    limit: int | None = None,
) -> list[Row]:
    """Rows with these columns in canonical form, by the first of them. `where` is SQL of ours with a placeholder for
    each of the values."""
    fields = [find_field(model=model, name=name) for name in names]
    columns = ", ".join(_select(field) for field in fields)
    sql = f"SELECT {columns} FROM {model._meta.db_table} WHERE {where} ORDER BY {order or names[0]}"  # noqa: S608
    rows = read_anyhow(read=lambda: _fetch(sql if limit is None else f"{sql} LIMIT {int(limit)}", values))
    for place, field in enumerate(fields):
        if (read := _READERS.get(field.get_internal_type())) is not None:
            for row in rows:
                row[place] = read(row[place])
    return rows


def find_field(*, model: type[Model], name: str) -> Any:
    """The field of the column, by the name that an instance has for it."""
    return next(field for field in model._meta.concrete_fields if field.attname == name)


def _select(field: Any) -> str:
    """The column as both databases give it: times as text in UTC to the microsecond."""
    column, kind = f'"{field.column}"', field.get_internal_type()
    if connection.vendor == "sqlite":
        if kind != "DateTimeField":
            return f"+{column}"  # an expression has no type of its own, by which a value would be made another
        return f"{column} || CASE length({column}) WHEN {_TIME_WITHOUT_FRACTION} THEN '.000000' ELSE '' END"
    match kind:
        case "DateTimeField":
            written = f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
            return f"{written} || CASE WHEN {column} < '0001-01-02Z' THEN ' BC' ELSE '' END"
        case "UUIDField":
            return f"replace({column}::text, '-', '')"
        case "JSONField":
            return f"{column}::text"
        case _:
            return column


def _fetch(sql: str, values: Sequence[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [list(row) for row in cursor.fetchall()]


def read_anyhow[T](*, read: Callable[[], T]) -> T:
    """What `read` reads, though somebody may have written bytes that are no text where SQLite should have one."""
    try:
        return read()
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
    connection.connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        return read()
    finally:
        connection.connection.text_factory = str


def _read_json(text: Any) -> Any:
    """The value that is stored. A text that the portal would write otherwise counts as a text."""
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {"text": text}
    # PostgreSQL stores JSON as values; on SQLite a changed text can have the same value.
    return value if connection.vendor != "sqlite" or json.dumps(value) == text else {"text": text}


_READERS: dict[str, Callable[[Any], Any]] = {
    "JSONField": _read_json,
    "BooleanField": lambda value: bool(value) if value in (0, 1) else value,  # SQLite has numbers
}


def write_time(*, time: datetime) -> str:
    """A time as it stands in the canonical form."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def fit(*, value: Any) -> Any:
    """A value of Python's as the canonical form has it."""
    match value:
        case datetime():
            return write_time(time=value)
        case UUID():
            return value.hex
        case _:
            return value
