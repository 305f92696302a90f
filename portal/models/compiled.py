"""Queries and inserts whose SQL is written once, for those that run all the time.

Django takes longer to write the SQL of a query than a database to answer it, and writes it anew for each run.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from itertools import batched
from typing import Any, ParamSpec, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import InsertQuery
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError

_Given = ParamSpec("_Given")
_Row = TypeVar("_Row")
type _Fields = tuple["Field[Any, Any]", ...]

_MOST_INSERTED = 16  # rows at once


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
        def run(*unnamed: _Given.args, **given: _Given.kwargs) -> list[_Row]:
            if unnamed:
                raise TypeError("the arguments are given by name")
            key = frozenset((name, value) for name, value in given.items() if name not in fields)
            query = written.get(key)
            if query is None:
                parameters = {name: _Parameter(name=name, field=field) for name, field in fields.items()}
                # Two threads may write the same one at the same time: either serves.
                query = written[key] = _Query(cast(Any, make)(**given | parameters))
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

    def __str__(self) -> str:
        raise TypeError(f"the SQL is written before {self._name} is known")  # some lookups make a text of a value

    def read(self, given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """The value, in the database's form. Raises TypeError where there is none: SQL compares otherwise with NULL."""
        value = given[self._name]
        if value is None:
            raise TypeError(f"{self._name} is None")
        return self.output_field.get_db_prep_value(value, connection)


class _Query:
    """A query set and its SQL. Runs share both, and change neither."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        if cast(Any, rows)._prefetch_related_lookups:
            raise TypeError("what is prefetched takes queries of its own")
        compiler = rows.query.get_compiler(using=rows.db)
        self._sql, self._params = compiler.as_sql()
        # Each run has its thread's.
        self._rows, self._compiler = rows, _copy(compiler, connection=None)

    def run(self, given: Mapping[str, Any]) -> list[Any]:
        """The rows, as Django reads them."""
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


def insert_rows(rows: Sequence[Model]) -> None:
    """Insert new rows of one model, as `bulk_create` does.

    All leave the same columns to the database, or it raises ValueError. Values are no expressions.
    """
    left = _list_left(rows[0])
    if any(_list_left(row) != left for row in rows):
        raise ValueError("the rows leave different columns to the database")
    insert = _write_insert(type(rows[0]), left)
    for some in batched(rows, _MOST_INSERTED, strict=False):
        insert.run(some)


def _list_left(row: Model) -> _Fields:
    """The columns that the database is to choose: those with its default, and the id of a new row."""
    return tuple(field for field in row._meta.concrete_fields if _is_left(getattr(row, field.attname), field=field))


def _is_left(value: Any, *, field: "Field[Any, Any]") -> bool:
    return isinstance(value, DatabaseDefault) or (field.primary_key and value is None)


@cache
def _write_insert(model: type[Model], left: _Fields) -> "_Insert":
    return _Insert(model, left)


class _Insert:
    """An insert, and its SQL. Runs share both, and change neither."""

    def __init__(self, model: type[Model], left: _Fields) -> None:
        self._left, self._given = left, [field for field in model._meta.concrete_fields if field not in left]
        quote, table = connection.ops.quote_name, model._meta.db_table
        columns = ", ".join(quote(str(field.column)) for field in self._given)
        self._into = f"INSERT INTO {quote(table)} ({columns}) VALUES "  # noqa: S608 (our own names)
        self._row = f"({', '.join(['%s'] * len(self._given))})"
        self._returning = f" {connection.ops.returning_columns(left)[0]}"
        self._compiler = InsertQuery(model).get_compiler(connection=connection)
        self._converters = self._compiler.get_converters([field.get_col(table) for field in left])

    def run(self, rows: Sequence[Model]) -> None:
        """Insert the rows, and give them what the database chose."""
        sql = self._into + ", ".join([self._row] * len(rows)) + self._returning
        own = connections[DEFAULT_DB_ALIAS]  # Django's `connection` looks for it at each use
        params = [field.get_db_prep_save(getattr(row, field.attname), own) for row in rows for field in self._given]
        with own.cursor() as cursor:
            cursor.execute(sql, params)
            chosen = cursor.fetchall() if self._left else [()] * len(rows)
        for row, values in zip(rows, self._compiler.apply_converters(chosen, self._converters), strict=True):
            for field, value in zip(self._left, values, strict=True):
                setattr(row, field.attname, value)
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
