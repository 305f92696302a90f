"""Single bits of stored values: changed outside the portal, and put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection, transaction

from portal.services.audit import canonical, rows
from tests import factories

BITS = 100


def flip(value: object, chance: random.Random) -> object:
    """The value with one bit changed; None where it has none."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(62))
    data = bytearray(str(value).encode())
    if not data:
        return None
    place = chance.randrange(len(data) * 8)
    data[place // 8] ^= 1 << (place % 8)
    return bytes(data)


@contextmanager
def unchecked() -> Iterator[None]:
    """With SQLite's constraints of rows off. The tests that follow use the same connection."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.cursor().execute("PRAGMA ignore_check_constraints = 1")
    try:
        yield
    finally:
        connection.cursor().execute("PRAGMA ignore_check_constraints = 0")


def write_bits(table: str, key: int, column: str, data: Any) -> bool:
    """Whether the database took it. SQLite takes what is no text, no time and no JSON; PostgreSQL refuses that."""
    sign = "CAST(%s AS TEXT)" if connection.vendor == "sqlite" and isinstance(data, bytes) else "%s"
    try:
        if connection.vendor == "postgresql" and isinstance(data, bytes):
            data = data.decode("utf-8")
        with factories.unprotected(), unchecked(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = {sign} WHERE id = %s", [data, key])
            return cursor.rowcount == 1
    except (DatabaseError, ValueError):
        return False


def read_stored(table: str, number: int, column: str) -> object:
    """As it must be written back: PostgreSQL's own types as text."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [number])
        value = cursor.fetchone()[0]
        if value is None or isinstance(value, int | bytes | memoryview):
            return int(value) if isinstance(value, bool) else value
        cursor.execute(
            f"SELECT {column}{'::text' * (connection.vendor == 'postgresql')} FROM {table} WHERE id = %s", [number]
        )
        return cursor.fetchone()[0]


def write_stored(table: str, number: int, column: str, value: object) -> bool:
    """Whether the database took it."""
    if not isinstance(value, memoryview | bytearray):
        return write_bits(table, number, column, value if isinstance(value, int | bytes) else str(value).encode())
    with factories.unprotected(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [bytes(value), number])
        return cursor.rowcount == 1


def flip_stored(value: object, chance: random.Random) -> object:
    if not isinstance(value, bytes | memoryview):
        return flip(value, chance)
    data = bytearray(value)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def flip_rows(told: dict[str, list[int]], chance: random.Random) -> Iterator[str]:
    """Change bits of rows that events tell of, some of every kind, one at a time; gives what has changed just now."""
    done = dict.fromkeys(told, 0)
    while sum(done.values()) < BITS or not all(done.values()):
        kind = chance.choice(list(told))
        number = chance.choice(told[kind])
        form = rows.KINDS[kind].form
        column = chance.choice(form.names[1:])
        value = read_stored(form.table, number, column)
        stored = memoryview(value) if isinstance(value, bytes) else value
        (row,) = canonical.read_rows(form=form, where="id = %s", values=[number], limit=1)
        if value in (None, "", b"") or not write_stored(form.table, number, column, flip_stored(stored, chance)):
            continue
        (changed,) = canonical.read_rows(form=form, where="id = %s", values=[number], limit=1)
        if connection.vendor == "postgresql" and changed == row:
            continue  # another text for the same value: it is stored as it was
        yield f"request R-{number}" if kind == "request" else f"{kind.replace('-', ' ')} {number}"
        assert write_stored(form.table, number, column, stored)
        done[kind] += 1
