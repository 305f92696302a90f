"""The canonical form: how what is signed is written down, byte by byte. docs/audit-log.md.

Both databases give the same form, of what is stored and not of what Django makes of it.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import F, Func, QuerySet, TextField

type Row = Sequence[Any]
type Ranges = list[list[int]]

_AS_STORED = "%(expressions)s"
_FORMS = {
    "sqlite": {
        "": f"+{_AS_STORED}",  # an expression has no type of its own, by which a value would be made another
        # A time without a fraction has 19 characters.
        "DateTimeField": f"{_AS_STORED} || CASE length({_AS_STORED}) WHEN 19 THEN '.000000' ELSE '' END",
    },
    "postgresql": {
        "": _AS_STORED,
        "DateTimeField": f"to_char({_AS_STORED} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        f" || CASE WHEN {_AS_STORED} < '0001-01-02Z' THEN ' BC' ELSE '' END",
        "UUIDField": f"replace({_AS_STORED}::text, '-', '')",
        "JSONField": f"{_AS_STORED}::text",
    },
}


def read_rows(*, rows: QuerySet[Any], names: Sequence[str]) -> list[Row]:
    fields: list[Any] = [rows.model._meta.get_field(name) for name in names]
    found: Any = read_anyhow(rows=rows.values_list(*map(_select, fields)))
    for place, field in enumerate(fields):
        if (read := _READERS.get(field.get_internal_type())) is not None:
            found = [(*row[:place], read(row[place]), *row[place + 1 :]) for row in found]
    return found  # type: ignore[no-any-return]


def _select(field: Any) -> Func:
    forms = _FORMS[connection.vendor]
    template = forms.get(field.get_internal_type(), forms[""])
    return Func(F(field.attname), template=template, output_field=TextField())


def read_anyhow(*, rows: QuerySet[Any, Any]) -> list[Any]:
    """The rows, though somebody may have written bytes that are no text where SQLite should have one."""
    try:
        return list(rows.all())
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
    connection.connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        return list(rows.all())
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
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def convert_value(*, value: Any) -> Any:
    if isinstance(value, datetime):
        return write_time(time=value)
    return value.hex if isinstance(value, UUID) else value


def pack_ranges(*, numbers: Iterable[int]) -> Ranges:
    """Ascending numbers as ranges, which take little room: [[1, 2000], [2003, 2003]]."""
    found: Ranges = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def unpack_ranges(*, ranges: Ranges) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}
