"""The database as its migrations leave it; after each test that commits it is made so again."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from tests import factories

type Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Beginning:
    rows: dict[str, Rows]

    def restore(self) -> None:
        """Empty what the test has filled, though the database refuses that, and put back what it has changed."""
        with factories.unprotected(), transaction.atomic(), connection.cursor() as cursor:
            for table in self._list_changed():
                cursor.execute(f"DELETE FROM {table}")
                for row in self.rows[table]:
                    cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)

    def _list_changed(self) -> list[str]:
        return [*self._list_filled(), *(table for table, rows in self.rows.items() if rows and read(table) != rows)]

    def _list_filled(self) -> list[str]:
        """Of those that were empty; in one query, because there are many."""
        empty = (table for table, rows in self.rows.items() if not rows)
        parts = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in empty)
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts))
            return [table for (table,) in cursor.fetchall()]


def remember() -> Beginning:
    known = connection.introspection.django_table_names(only_existing=True, include_views=False)
    # Django does not know the table of the search index, whose triggers are off while the others are emptied.
    return Beginning({table: read(table) for table in [*known, "portal_searchentry"]})


def read(table: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
        return cursor.fetchall()
