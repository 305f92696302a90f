"""The canonical form: how a row of the record is written down, byte by byte, before it is digested. docs/record.md.

Both databases give the same form. It is read with SQL of our own, not with the ORM: what is digested is what is stored,
not what Django makes of it, and a table of millions is read in seconds.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Model

from portal import models

type Row = list[Any]

_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)  # noqa: DTZ001 (the database's texts are UTC)
_TIME_WITHOUT_FRACTION = 19  # characters


@dataclass(frozen=True, kw_only=True)
class Form:
    """Which columns of a table are written down, in this order; the first is the key. `lists`: fields of many rows,
    whose ids are written down in one text after them."""

    model: type[Model]
    names: tuple[str, ...]
    lists: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """In the database."""
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """The column by which rows are found."""
        return self.names[0]


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
        "row_digests",
    ),
)
SEAL = Form(
    model=models.Seal,
    names=("number", "made_at", "first_id", "last_id", "count", "key_id", "previous", "marks", "digest"),
)


def read_rows(*, form: Form, where: str, values: Sequence[object], limit: int) -> list[Row]:
    """Rows in canonical form, by their key. `where` is SQL of ours with a placeholder for each of the values."""
    columns = ", ".join([*(_select(_find_field(form, name)) for name in form.names), *_select_lists(form)])
    sql = f"SELECT {columns} FROM {form.table} WHERE {where} ORDER BY {form.key} LIMIT {int(limit)}"  # noqa: S608
    rows = fetch_rows(sql=sql, values=values)
    for place in _find_json(form):
        for row in rows:
            row[place] = _read_json(row[place])
    return rows


def _find_field(form: Form, name: str) -> Any:
    return next(field for field in form.model._meta.concrete_fields if field.attname == name)


def _select_lists(form: Form) -> list[str]:
    """The ids of the rows that a row is linked with, in order, with commas between them."""
    selected = []
    for name in form.lists:
        field: Any = form.model._meta.get_field(name)
        table, ours, theirs = field.m2m_db_table(), field.m2m_column_name(), field.m2m_reverse_name()
        column = f"x.{theirs}::text" if connection.vendor == "postgresql" else f"x.{theirs}"
        joined = "string_agg" if connection.vendor == "postgresql" else "group_concat"
        source = f"(SELECT {theirs} FROM {table} WHERE {ours} = {form.table}.id ORDER BY {theirs}) x"  # noqa: S608
        selected.append(f"(SELECT {joined}({column}, ',') FROM {source})")  # noqa: S608
    return selected


def _find_json(form: Form) -> list[int]:
    json_names = {field.attname for field in form.model._meta.concrete_fields if _kind(field) == "JSONField"}
    return [place for place, name in enumerate(form.names) if name in json_names]


def _kind(field: Any) -> str:
    return str(field.get_internal_type())


def _select(field: Any) -> str:
    """The column as both databases give it: times as text in UTC to the microsecond, truths as 0 or 1."""
    column = f'"{field.column}"'
    if connection.vendor == "sqlite":
        if _kind(field) != "DateTimeField":
            return f"+{column}"  # an expression has no type of its own, by which a value would be made another
        return f"CASE length({column}) WHEN {_TIME_WITHOUT_FRACTION} THEN {column} || '.000000' ELSE {column} END"
    match _kind(field):
        case "DateTimeField":
            return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        case "BooleanField":
            return f"{column}::int"
        case "UUIDField":
            return f"replace({column}::text, '-', '')"
        case "JSONField":
            return f"{column}::text"
        case _:
            return column


def fetch_rows(*, sql: str, values: Sequence[object] = ()) -> list[Row]:
    """What a query gives, whatever somebody has written past the portal."""
    try:
        return _execute(sql, values)
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
    # Bytes that are no text, where text should be: somebody wrote past the portal. That must be named.
    connection.connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        return _execute(sql, values)
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


# --- Events and their marks ---

_ID, _AT, _MAC = 8, 8, 16  # bytes
MARK = _ID + _AT + _MAC


def read_events(*, after: int, until: int, limit: int) -> list[Row]:
    """The next events with ids above `after`, up to and with `until`."""
    # One bound alone: with two PostgreSQL may read and sort all that lies between, to give the first few.
    rows = read_rows(form=EVENT, where="id > %s", values=[after], limit=limit)
    return rows if not rows or rows[-1][0] <= until else [row for row in rows if row[0] <= until]


def mark_events(*, rows: Sequence[Row], secret: bytes) -> bytes:
    """For each event its id, its time in microseconds since 1970, and half of an HMAC of its canonical form."""
    encode_row, digest = _ENCODER.encode, hmac.digest
    return b"".join(
        row[0].to_bytes(_ID, signed=True)
        + _count_microseconds(row[1]).to_bytes(_AT, signed=True)
        + digest(secret, encode_row(row).encode("ascii"), "sha256")[:_MAC]
        for row in rows
    )


def _count_microseconds(text: Any) -> int:
    """0 for what is no time: that it was changed shows in the digest."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):
        return 0


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a seal knows of one event."""

    id: int
    at: str
    mac: bytes


def split_marks(*, marks: bytes) -> Iterator[Mark]:
    """The marks one by one."""
    for start in range(0, len(marks) - MARK + 1, MARK):
        number, at = (int.from_bytes(marks[start + place : start + place + _ID], signed=True) for place in (0, _ID))
        yield Mark(
            id=number,
            at=f"{_EPOCH + at * _MICROSECOND:%Y-%m-%d %H:%M:%S.%f}",
            mac=marks[start + _ID + _AT : start + MARK],
        )
