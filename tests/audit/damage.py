"""Values of single columns: changed outside the portal, and put back."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import IntegerField, Model

from portal.services.audit import canonical
from tests import factories

BITS = 40
_CHANGED = {
    "BooleanField": "NOT coalesce({column}, false)",
    "DateTimeField": "'2020-02-02 02:02:02.000002'",
    "UUIDField": "'00000000000040008000000000000001'",
    "JSONField": "'[7]'",
    "BinaryField": "CAST('x' AS {bytes})",
    "CharField": "'~' || substr(coalesce({column}, ''), 2)",
    "TextField": "'~' || substr(coalesce({column}, ''), 2)",
}


def change_columns(model: type[Model], number: int, names: Sequence[str]) -> Iterator[str]:
    """Names each column while the row has another value in it, but for those that a constraint does not let change."""
    refused = []
    for name in names:
        field: Any = model._meta.get_field(name)
        value = _CHANGED.get(field.get_internal_type(), "coalesce({column}, 0) + 1")
        sql = value.format(column=field.column, bytes="BLOB" if connection.vendor == "sqlite" else "bytea")
        with _written(model, number, field, sql) as is_taken:
            if is_taken:
                yield name
            else:
                refused.append(name)
    assert len(refused) <= len(names) / 2, refused


def flip_bits(model: type[Model], chance: random.Random) -> Iterator[int]:
    """Change single bits, one at a time, and give the row that has one changed just now: SQLite takes what is no
    text, no time and no JSON; PostgreSQL has other texts for the same value."""
    key = model._meta.pk.attname
    fields: list[Any] = [field for field in model._meta.concrete_fields if field.attname != key]
    numbers = list(model._base_manager.order_by(key).values_list(key, flat=True))
    done = 0
    while done < BITS:
        number, field = chance.choice(numbers), chance.choice(fields)
        row = model._base_manager.filter(pk=number)
        before, stored = canonical.read_rows(rows=row, names=[field.attname]), _read(model, number, field)
        if stored in (None, ""):
            continue
        with _written(model, number, field, *_flip(stored, chance)) as is_taken:
            if is_taken and canonical.read_rows(rows=row, names=[field.attname]) != before:
                yield number
                done += 1


def _read(model: type[Model], number: int, field: Any) -> Any:
    column = field.column if isinstance(field, IntegerField) else f"CAST({field.column} AS text)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {model._meta.db_table} WHERE {model._meta.pk.column} = %s", [number])
        return cursor.fetchone()[0]


def _flip(value: int | str, chance: random.Random) -> tuple[str, int | str | bytes]:
    if isinstance(value, int):
        return "%s", value ^ (1 << chance.randrange(62))
    data = bytearray(value.encode())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    if connection.vendor == "sqlite":
        return "CAST(%s AS TEXT)", bytes(data)
    return "%s", data.decode(errors="surrogateescape")


@contextmanager
def _written(model: type[Model], number: int, field: Any, value: str, *values: int | str | bytes) -> Iterator[bool]:
    """With this SQL in the column of the row, whatever SQLite's constraints say. Whether the database took it."""
    set_column = f'UPDATE {model._meta.db_table} SET "{field.column}" = {value} WHERE {model._meta.pk.column} = %s'
    with transaction.atomic(), connection.cursor() as cursor:
        ignore = "PRAGMA ignore_check_constraints = {}" if connection.vendor == "sqlite" else "SELECT {}"
        cursor.execute(ignore.format(1))
        is_taken = False
        with suppress(DatabaseError, ValueError), factories.unprotected(), transaction.atomic():
            cursor.execute(set_column, [*values, number])
            is_taken = cursor.rowcount == 1
        cursor.execute(ignore.format(0))
        yield is_taken
        transaction.set_rollback(True)
