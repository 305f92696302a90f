"""The database's clock, and the time between two times, as expressions."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import FloatField, Func, functions
from django.db.models.sql.compiler import SQLCompiler


class Now(functions.Now):
    """The time by the database: the one clock that all machines share.

    SQLite keeps times as text and knows milliseconds; Django writes a time as text with six digits, or with none where
    they are zero. Such texts do not compare as times do. The last digit here makes all of them six digits long.
    """

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        template = "(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW') || '001')"
        return self.as_sql(compiler, connection, template=template, **extra)


class Seconds(Func):
    """Seconds from the second of two times to the first. SQLite knows them to the millisecond."""

    arity = 2
    output_field = FloatField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        template = "(ROUND((JULIANDAY(%(expressions)s)) * 86400000) / 1000)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") - JULIANDAY(", **extra)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        template = "EXTRACT(EPOCH FROM %(expressions)s)::double precision"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **extra)
