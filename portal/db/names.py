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
    WHERE f.oid >= 16384 AND f.{short}namespace = ANY(pg_catalog.current_schemas(true)::regnamespace[])
    AND EXISTS (SELECT FROM pg_catalog.{table} o WHERE o.oid < 16384 AND o.{short}name = f.{short}name)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.{table}'::regclass AND d.objid = f.oid AND d.deptype = 'e'
    )
"""
# What a default, a constraint or an index calls runs with each row that is written, as a trigger does.
_CALLED = """
    SELECT DISTINCT coalesce(a.adrelid, c.conrelid, i.indrelid)::regclass::text, d.refobjid::regprocedure::text
    FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND a.oid = d.objid
    LEFT JOIN pg_catalog.pg_constraint c ON d.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = d.objid
    LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid
    WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND coalesce(a.adrelid, c.conrelid, i.indrelid) IS NOT NULL
    UNION SELECT adrelid::regclass::text, 'set_config' FROM pg_catalog.pg_attrdef
        WHERE pg_catalog.pg_get_expr(adbin, adrelid) LIKE '%%set_config%%'
    UNION SELECT conrelid::regclass::text, 'set_config' FROM pg_catalog.pg_constraint
        WHERE pg_catalog.pg_get_constraintdef(oid) LIKE '%%set_config%%'
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
    called = _read(_CALLED)
    strange += [f"{table} calls {name} with what is written there." for table, name in called if table in tables]
    return strange


def _read(sql: str, *values: list[str]) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
