"""What a name in SQL means on PostgreSQL: it is looked for in one schema after the other, as search_path says."""

from collections.abc import Collection

from django.db import connection

_PATH = "SELECT pg_catalog.unnest(pg_catalog.current_schemas(true))"
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid)
"""
# Of several functions with one name the one is called whose types fit best, in whichever schema it is.
_MADE = """
    SELECT '{kind} ' || f.oid::{type}::text FROM pg_catalog.{table} f
    JOIN pg_catalog.pg_namespace n ON n.oid = f.{short}namespace AND n.nspname = ANY(pg_catalog.current_schemas(true))
    WHERE f.oid >= 16384
    AND EXISTS (SELECT FROM pg_catalog.{table} o WHERE o.oid < 16384 AND o.{short}name = f.{short}name)
    AND f.oid::{type}::text NOT IN ('%%(text,text)', '<->(text,text)')  -- pg_trgm's; it has no others
"""
# What turns a value of one of PostgreSQL's own types into another, without being asked.
_CASTS = """
    SELECT castsource::regtype || ' to ' || casttarget::regtype FROM pg_catalog.pg_cast
    WHERE oid >= 16384 AND castsource < 16384 AND casttarget < 16384
"""
_FUNCTIONS = _MADE.format(kind="function", type="regprocedure", table="pg_proc", short="pro")
_OPERATORS = _MADE.format(kind="operator", type="regoperator", table="pg_operator", short="opr")


def find_strangers(*, tables: Collection[str]) -> list[str]:
    """What is found in place of the portal's tables or PostgreSQL's own functions, as sentences; on SQLite nothing."""
    if connection.vendor != "postgresql":
        return []
    strange = []
    path = [schema for (schema,) in _read(_PATH) if not schema.startswith("pg_temp")]
    if path[0] != "pg_catalog":
        strange.append(f"The search_path has {path[0]} before PostgreSQL's own pg_catalog.")
    schemas: dict[str, list[str]] = {}
    for schema, name in _read(_TABLES, list(tables)):
        schemas.setdefault(schema, []).append(name)
    for schema in sorted(schemas, key=lambda schema: len(schemas[schema]))[:-1]:
        found = ", ".join(sorted(schemas[schema]))
        strange.append(f"The search_path finds {found} in the schema {schema}, and all others in another.")
    made = [*_read(_FUNCTIONS), *_read(_OPERATORS)]
    strange += [f"The {name} may be taken for one of PostgreSQL's own." for (name,) in made]
    strange += [f"The cast from {words} is not PostgreSQL's own." for (words,) in _read(_CASTS)]
    return strange


def _read(sql: str, *values: list[str]) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
