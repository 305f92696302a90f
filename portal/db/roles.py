"""PostgreSQL's roles: who may do what with the tables, whatever the triggers say."""

from django.db import connection

from portal.db.connection import execute, open_connection

# The owner of a table may drop its triggers; that of the schema or the database may drop the table. Who may put
# triggers on it can let one that fires after ours change what ours has let through.
_POWERS = r"""
    SELECT
        coalesce(bool_or(
            pg_has_role(%(role)s::name, c.relowner, 'MEMBER') OR pg_has_role(%(role)s::name, n.nspowner, 'MEMBER')
            OR pg_has_role(%(role)s::name, d.datdba, 'MEMBER')
        ), false),
        coalesce(bool_or(has_table_privilege(%(role)s::name, c.oid, 'TRIGGER')), false)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database()
    WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relname LIKE 'portal\_%%'
"""


def read_home() -> tuple[str, str, str]:
    """The database and the schema of our tables, which must be there, and the role that owns them."""
    [[database, schema, owner]] = execute(
        "SELECT current_database(), schemaname, tableowner FROM pg_tables"
        " WHERE schemaname = current_schema() AND tablename = 'portal_event'"
    )
    return database, schema, owner


def is_owner(*, role: str) -> bool | None:
    """Whether a role may act as an owner: it is one, belongs to one, or is a superuser. None: there is no such role."""
    if not execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]):
        return None
    [[owns, _]] = execute(_POWERS, {"role": role})
    return bool(owns)


def can_change_triggers() -> bool:
    """Whether whoever connects by the settings may take triggers away, or put others beside them.

    Not through the pool, which would try for long to reach a server that is not there. Raises psycopg.Error.
    """
    if connection.vendor != "postgresql":
        return False
    with open_connection() as opened:
        # The session's role, not the present one: RESET ROLE goes back to it.
        row = opened.execute("SELECT session_user").fetchone()
        powers = opened.execute(_POWERS, {"role": row and row[0]}).fetchone()
    return any(powers or ())


def list_sequences(*, table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [found["name"] for found in connection.introspection.get_sequences(cursor, table)]
