"""The audit log defends itself: triggers by which the database refuses to change or delete what is in it, and grants.

Triggers hold for whoever writes: the portal, a shell, psql. Each rule is one condition under which a write is refused,
in SQL that SQLite and PostgreSQL share. But whoever owns a table may drop its triggers: where another role owns the
tables, the portal's own is granted what it needs: to read, to add, and to change and delete where a trigger may let it.
"""

from collections.abc import Iterable

from django.apps import apps
from django.db import connection
from psycopg import sql

from portal import models
from portal.db import roles, triggers
from portal.db.triggers import Rule

_READ_ONLY = frozenset({"django_migrations", "django_content_type", "auth_permission"})  # only migrations write there
_ACTS = ("INSERT", "UPDATE", "DELETE")
_MOST_NUMBERS = 1000  # that are taken, or left out, at once
_CONTAINS = {"sqlite": "{row} IN (SELECT value FROM json_each(t.ids))", "postgresql": "t.ids @> to_jsonb({row})"}


def list_rules() -> list[Rule]:
    """What may be done to each protected table, as conditions in SQL."""
    of_attempt = "(SELECT a.request_id FROM portal_attempt a WHERE a.id = OLD.attempt_id)"
    claim = ("id", "request_id", "number", "worker", "token", "key_fingerprint", "claimed_at", "claimed_tick")
    origin = ("id", "account_id", "requester_id", "submission")
    submission = (*origin, *models.Request.SUBMITTED, "other_fields", "created_at")
    skips = f"NEW.last NOT BETWEEN OLD.last + 1 AND OLD.last + {_MOST_NUMBERS}"
    # Of a request that is there all events stay; what an event changed goes after it.
    is_needed = "EXISTS (SELECT 1 FROM portal_request r WHERE r.id = OLD.request_number)"
    has_gone = "NOT EXISTS (SELECT 1 FROM portal_event e WHERE e.id = OLD.event_id)"
    is_pruned = "EXISTS (SELECT 1 FROM portal_tombstone t WHERE t.kind = 'EVENTS' AND t.seal_number >= OLD.number)"
    change_is_pruned = f"{has_gone} AND {_is_named('EVENTS', 'OLD.event_id')}"
    conditions = {
        "event": {"UPDATE": "", "DELETE": f"{is_needed} OR NOT {_is_named('EVENTS', 'OLD.id')}"},
        "change": {"UPDATE": "", "DELETE": f"NOT ({change_is_pruned})"},
        # A number that is set back would be given again.
        "eventnumber": {"UPDATE": skips, "DELETE": ""},
        "seal": {"UPDATE": "", "DELETE": f"NOT {is_pruned}"},
        "lateresponse": {"UPDATE": "", "DELETE": f"NOT {_is_named('REQUESTS', of_attempt)}"},
        "attempt": {
            "UPDATE": f"OLD.outcome <> 'SENDING' OR {_changes(*claim)}",
            "DELETE": f"NOT {_is_named('REQUESTS', 'OLD.request_id')}",
        },
        "request": {"UPDATE": _changes(*submission), "DELETE": f"NOT {_is_named('REQUESTS', 'OLD.id')}"},
        **{table: {"UPDATE": "", "DELETE": ""} for table in ("lostresponse", "restore", "tombstone")},
        # People are deactivated, never deleted.
        "user": {"DELETE": ""},
    }
    # PostgreSQL's TRUNCATE fires no trigger of a row.
    truncation = {"TRUNCATE": ""} if connection.vendor == "postgresql" else {}
    return [
        Rule(table=f"portal_{table}", act=act, condition=condition)
        for table, refused in conditions.items()
        for act, condition in (refused | truncation).items()
    ]


def _changes(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns)


def _is_named(kind: str, row: str) -> str:
    by_range = f"t.kind = '{kind}' AND {row} BETWEEN t.first_id AND t.last_id"
    by_id = f" AND {_CONTAINS[connection.vendor].format(row=row)}" if kind == "REQUESTS" else ""
    return f"EXISTS (SELECT 1 FROM portal_tombstone t WHERE {by_range}{by_id})"  # noqa: S608 (our own names)


def install_triggers() -> None:
    """Write the triggers anew, in place of those that are there."""
    triggers.install_triggers(rules=list_rules())


def find_faults() -> list[str]:
    """Each trigger that is missing or is not ours, as a sentence."""
    return triggers.find_faults(rules=list_rules())


# --- What the portal's role may do on PostgreSQL ---


class NotPossible(Exception):
    """Nothing that is granted would bind the role; the message is fit for the person."""


def list_privileges() -> dict[str, tuple[str, ...]]:
    """What the portal's role needs on each table.

    DELETE of events is for pruning, which the triggers hold to what a tombstone names.
    """
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    refused = {(rule.table, rule.act) for rule in list_rules() if not rule.condition}
    return {
        table: ("SELECT", *(act for act in _ACTS if table not in _READ_ONLY and (table, act) not in refused))
        for table in sorted(tables | {"django_migrations"})
    }


def write_grants(*, role: str) -> list[str]:
    """The statements that leave to the role what it needs and take everything else. Raises NotPossible."""
    privileges = list_privileges()
    _check_role(role, tables=privileges.keys())
    home = roles.read_home()
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
