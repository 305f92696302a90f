"""Values of single columns: changed outside the portal, and put back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from tests import factories

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


@contextmanager
def _written(model: type[Model], number: int, field: Any, value: str) -> Iterator[bool]:
    """With this SQL in the column of the row, whatever SQLite's constraints say. Whether the database took it."""
    set_column = f'UPDATE {model._meta.db_table} SET "{field.column}" = {value} WHERE {model._meta.pk.column} = %s'
    with transaction.atomic(), connection.cursor() as cursor:
        ignore = "PRAGMA ignore_check_constraints = {}" if connection.vendor == "sqlite" else "SELECT {}"
        cursor.execute(ignore.format(1))
        is_taken = False
        with suppress(DatabaseError, ValueError), factories.unprotected(), transaction.atomic():
            cursor.execute(set_column, [number])
            is_taken = cursor.rowcount == 1
        cursor.execute(ignore.format(0))
        yield is_taken
        transaction.set_rollback(True)
