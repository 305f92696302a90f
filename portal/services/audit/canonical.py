"""The canonical form: how a row is written down, byte by byte, before it is signed or digested. docs/audit-log.md.

Both databases give the same form. It is read with SQL of our own, not with the ORM: what is digested is what is stored,
not what Django makes of it, and a table of millions is read in seconds.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Model

from portal import models

type Row = list[Any]

NO_LIMIT = 2**31  # rows
_TIME_WITHOUT_FRACTION = 19  # characters


@dataclass(frozen=True, kw_only=True)
class Form:
    """Which columns of a table are written down, in this order; the first ones are the key."""

    model: type[Model]
    names: tuple[str, ...]
    keys: int = 1
    newest_first: bool = False

    @property
    def table(self) -> str:
        """The name of the table that its rows are in."""
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """The columns by which rows are in order."""
        return ", ".join(self.names[: self.keys]) + " DESC" * self.newest_first


EVENT = Form(
    model=models.Event,
    names=(
        "id",
        "at",
        "actor_id",
        "actor_name",
        "address",
        "verb",
        "target",
        "request_number",
        "detail",
        "reason",
        "http_request",
        "signature",
    ),
)
NEWEST_EVENT = replace(EVENT, newest_first=True)
CHANGE = Form(
    model=models.Change,
    names=("event_id", "position", "kind", "row_id", "act", "as_of", "columns", "signature"),
    keys=2,
)
SEAL = Form(
    model=models.Seal,
    names=("number", "made_at", "first_id", "last_id", "count", "key_id", "previous", "marks", "digest"),
)


def read_rows(*, form: Form, where: str, values: Sequence[object], limit: int) -> list[Row]:
    """Rows in canonical form, by their key. `where` is SQL of ours with a placeholder for each of the values."""
    columns = ", ".join(_select(find_field(form=form, name=name)) for name in form.names)
    sql = f"SELECT {columns} FROM {form.table} WHERE {where} ORDER BY {form.key} LIMIT {int(limit)}"  # noqa: S608
    rows = fetch_rows(sql=sql, values=values)
    for place, name in enumerate(form.names):
        if (read := _READERS.get(_kind(find_field(form=form, name=name)))) is not None:
            for row in rows:
                row[place] = read(row[place])
    return rows


def find_field(*, form: Form, name: str) -> Any:
    """The field of the column, by the name that an instance has for it."""
    return next(field for field in form.model._meta.concrete_fields if field.attname == name)


def _kind(field: Any) -> str:
    return str(field.get_internal_type())


def _select(field: Any) -> str:
    """The column as both databases give it: times as text in UTC to the microsecond."""
    column = f'"{field.column}"'
    if connection.vendor == "sqlite":
        if _kind(field) != "DateTimeField":
            return f"+{column}"  # an expression has no type of its own, by which a value would be made another
        is_short = f"typeof({column}) = 'text' AND length({column}) = {_TIME_WITHOUT_FRACTION}"
        return f"CASE WHEN {is_short} THEN {column} || '.000000' ELSE {column} END"
    match _kind(field):
        case "DateTimeField":
            written = f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
            # to_char writes years before Christ as those after, and of infinity nothing.
            is_odd = f"{column} < '0001-01-02Z' OR {column} = 'infinity'"
            return f"CASE WHEN {is_odd} THEN {column}::text ELSE {written} END"
        case "UUIDField":
            return f"replace({column}::text, '-', '')"
        case "JSONField":
            return f"{column}::text"
        case _:
            return column


def fetch_rows(*, sql: str, values: Sequence[object] = ()) -> list[Row]:
    """What a query gives, whatever somebody has written outside the portal."""
    return read_anyhow(read=lambda: _execute(sql, values))


def read_anyhow[T](*, read: Callable[[], T]) -> T:
    """What `read` reads, whatever somebody has written outside the portal."""
    try:
        return read()
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
    # Bytes that are no text, where text should be: somebody wrote outside the portal. That must be named.
    connection.connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        return read()
    finally:
        connection.connection.text_factory = str


def _execute(sql: str, values: Sequence[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [list(row) for row in cursor.fetchall()]


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
    # SQLite stores 0 and 1, and whatever else somebody has written.
    "BooleanField": lambda value: bool(value) if value in (0, 1) else value,
}


def _write_bytes(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=_write_bytes)


def encode(*, row: Sequence[object]) -> bytes:
    """A row as bytes: a JSON list in ASCII, without spaces, the keys of objects in order, bytes as their SHA-256."""
    return _ENCODER.encode(row).encode("ascii")


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
