"""Each column of a row, one after the other changed outside the portal, and put back."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import IntegrityError, connection, transaction
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
        written = _CHANGED.get(field.get_internal_type(), "coalesce({column}, 0) + 1")
        value = written.format(column=field.column, bytes="BLOB" if connection.vendor == "sqlite" else "bytea")
        table, key = model._meta.db_table, model._meta.pk.column
        with transaction.atomic():
            try:
                with factories.unprotected(), transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(f'UPDATE {table} SET "{field.column}" = {value} WHERE {key} = %s', [number])
            except IntegrityError:
                refused.append(name)
            else:
                yield name
            transaction.set_rollback(True)
    assert len(refused) <= len(names) / 2, refused
