"""Single bits of stored values: changed outside the portal, and put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from portal.services.audit import canonical
from tests import factories

BITS = 100


def flip_bits(model: type[Model], chance: random.Random) -> Iterator[int]:
    """Change a hundred bits of its rows, one at a time; gives the row that has one changed just now."""
    key = model._meta.pk.attname
    names = [field.attname for field in model._meta.concrete_fields if field.attname != key]
    ids = list(model._base_manager.order_by(key).values_list(key, flat=True))
    done = 0
    while done < BITS:
        number, name = chance.choice(ids), chance.choice(names)
        column: str = model._meta.get_field(name).column  # type: ignore[union-attr, assignment]
        stored = _read(model, number, f'"{column}"')
        was = _read_canonical(model, number, name)
        if was in (None, "", b"") or not _write(model, number, column, _flip(stored, chance)):
            continue
        if _read_canonical(model, number, name) != was:  # PostgreSQL has other texts for the same value
            yield number
            done += 1
        assert _write(model, number, column, stored)


def _read(model: type[Model], number: int, column: str) -> Any:
    """As it must be written back: PostgreSQL's own types as text."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {model._meta.db_table} WHERE {model._meta.pk.column} = %s", [number])
        value = cursor.fetchone()[0]
    if connection.vendor == "postgresql" and not isinstance(value, int | str | bytes | None) and "::" not in column:
        return _read(model, number, f"{column}::text")
    return value


def _read_canonical(model: type[Model], number: int, name: str) -> Any:
    ((value,),) = canonical.read_rows(rows=model._base_manager.filter(pk=number), names=[name])
    return value


def _flip(value: object, chance: random.Random) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(62))
    data = bytearray(value if isinstance(value, bytes) else str(value).encode())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data) if isinstance(value, bytes) else data


def _write(model: type[Model], number: int, column: str, value: Any) -> bool:
    """Whether the database took it. SQLite takes what is no text, no time and no JSON; PostgreSQL refuses that."""
    sign = "CAST(%s AS TEXT)" if connection.vendor == "sqlite" and isinstance(value, bytearray) else "%s"
    try:
        if isinstance(value, bytearray):
            value = bytes(value) if connection.vendor == "sqlite" else value.decode()
        with factories.unprotected(), _unchecked(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f'UPDATE {model._meta.db_table} SET "{column}" = {sign} WHERE {model._meta.pk.column} = %s',
                [value, number],
            )
            return cursor.rowcount == 1
    except (DatabaseError, ValueError):
        return False


@contextmanager
def _unchecked() -> Iterator[None]:
    """With SQLite's constraints of rows off. The tests that follow use the same connection."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.cursor().execute("PRAGMA ignore_check_constraints = 1")
    try:
        yield
    finally:
        connection.cursor().execute("PRAGMA ignore_check_constraints = 0")
