"""Queries whose SQL is written once, for those that run all the time.

Django takes longer to write the SQL of a query than a database to answer it, and writes it anew for each run.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError

_Given = ParamSpec("_Given")
_Row = TypeVar("_Row")


def compiled(
    **fields: "Field[Any, Any]",
) -> Callable[[Callable[_Given, QuerySet[Any, _Row]]], Callable[_Given, list[_Row]]]:
    """Have a function that makes a query set return its rows instead, and write their SQL at its first call only.

    An argument with a field here becomes a parameter of the SQL, in the form in which that field is stored: the query
    can compare with it and annotate rows with it. Any other argument is a part of the query, which is written once for
    each of its values. All are given by name.
    """

    def decorate(make: Callable[_Given, QuerySet[Any, _Row]]) -> Callable[_Given, list[_Row]]:
        written: dict[frozenset[tuple[str, object]], _Query] = {}

        @wraps(make)
        def run(*_: _Given.args, **given: _Given.kwargs) -> list[_Row]:
            parts = frozenset((name, value) for name, value in given.items() if name not in fields)
            query = written.get(parts)
            if query is None:
                parameters = {name: _Parameter(name=name, field=field) for name, field in fields.items()}
                # Two threads may write the same one at the same time: either serves.
                query = written[parts] = _Query(cast(Any, make)(**given | parameters))
            return query.run(given)

        return run

    return decorate


class _Parameter(Expression):
    """Stands in a query for a value that is given with each run."""

    def __init__(self, *, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self._name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]

    def read(self, given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """The value, in the database's form. Raises TypeError where there is none: SQL compares otherwise with NULL."""
        value = given[self._name]
        if value is None:
            raise TypeError(f"{self._name} is None")
        return self.output_field.get_db_prep_value(value, connection)


class _Query:
    """A query set and its SQL. Runs share both, and change neither."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        compiler = rows.query.get_compiler(using=rows.db)
        self._sql, self._params = compiler.as_sql()
        # Each run has its thread's.
        self._rows, self._compiler = rows, _copy(compiler, connection=None)

    def run(self, given: Mapping[str, Any]) -> list[Any]:
        """The rows by the stored SQL with these values. Raises TransactionManagementError for a lock outside of a
        transaction.
        """
        connection = connections[self._rows.db]
        if self._rows.query.select_for_update and connection.get_autocommit():
            raise TransactionManagementError("rows are locked in a transaction only")
        params = [one.read(given, connection) if isinstance(one, _Parameter) else one for one in self._params]
        compiler = _copy(self._compiler, connection=connection, as_sql=lambda: (self._sql, tuple(params)))
        rows = _copy(self._rows, _query=_copy(self._rows.query, get_compiler=lambda *_, **__: compiler))
        found: list[Any] = list(cast(Any, rows)._iterable_class(rows))
        return found


def _copy[Kind](one: Kind, **changes: object) -> Kind:
    """A shallow copy with other attributes. A query set's own way to be copied would read its rows."""
    new = object.__new__(type(one))
    vars(new).update(vars(one), **changes)
    return new
