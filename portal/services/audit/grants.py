"""What the portal's role may do on PostgreSQL, where another role owns the tables.

Whoever owns a table may drop its triggers. The portal does not need that: it reads and adds, and changes and deletes
where a trigger may let it. What a trigger always refuses is not granted in the first place.
"""

from collections.abc import Iterable

from django.apps import apps
from django.db import connection
from psycopg import sql

from portal.db import roles
from portal.services.audit import protection

# Only migrations write in these.
_READ_ONLY = frozenset({"django_migrations", "django_content_type", "auth_permission"})
_ACTS = ("INSERT", "UPDATE", "DELETE")


class NotPossible(Exception):
    """Nothing that is granted would bind the role; the message is fit for the person."""


def list_privileges() -> dict[str, tuple[str, ...]]:
    """What the portal's role needs on each table.

    DELETE of events is for pruning, which the triggers hold to what a tombstone names.
    """
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    refused = {(rule.table, rule.act) for rule in protection.list_rules() if not rule.condition}
    return {
        table: ("SELECT", *(act for act in _ACTS if table not in _READ_ONLY and (table, act) not in refused))
        for table in sorted(tables | {"django_migrations"})
    }


def write_grants(*, role: str) -> list[str]:
    """The statements that leave to the role what it needs and take everything else. Raises NotPossible."""
    privileges = list_privileges()
    _check_role(role, tables=privileges.keys())
    home = roles.read_home(table="portal_event")
    database, schema, owner, name = map(_quote, (*home, role))
    statements = [
        # Where everybody may create, that may be the only right that the owner has.
        f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {name}",
        f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC, {name}",
        f"GRANT CONNECT ON DATABASE {database} TO {name}",
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
    ]
    for table, granted in privileges.items():
        where = f"{schema}.{_quote(table)}"
        statements += [f"REVOKE ALL ON {where} FROM PUBLIC, {name}", f"GRANT {', '.join(granted)} ON {where} TO {name}"]
        for sequence in roles.list_sequences(table=table):
            numbers = f"SEQUENCE {schema}.{_quote(sequence)}"
            statements.append(f"REVOKE ALL ON {numbers} FROM PUBLIC, {name}")
            # UPDATE would let it set a sequence back.
            if "INSERT" in granted:
                statements.append(f"GRANT USAGE ON {numbers} TO {name}")
    return statements


def _quote(name: str) -> str:
    """A name as SQL has it, whatever is in it."""
    return sql.Identifier(name).as_string(None)


def _check_role(role: str, *, tables: Iterable[str]) -> None:
    if connection.vendor != "postgresql":
        raise NotPossible("SQLite has no roles: whoever may write in its file may do everything in it.")
    if missing := set(tables) - set(connection.introspection.table_names()):
        raise NotPossible(f"The table {min(missing)} is not there yet: run `manage.py migrate` first.")
    if (is_owner := roles.is_owner(role=role)) is None:
        raise NotPossible(f"There is no role {role}: make it first, such as by `createuser --pwprompt {role}`.")
    if is_owner:
        raise NotPossible(
            f"The role {role} owns the database, its schema or its tables, belongs to a role that does, or is a"
            " superuser: nothing can be kept from it. docs/database.md says how to give them to another role."
        )
