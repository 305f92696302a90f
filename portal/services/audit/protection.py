"""The audit log defends itself: triggers by which the database refuses to change or delete what is in it.

They hold for whoever writes: the portal, a shell, psql. Each rule is one condition under which a write is refused, in
SQL that SQLite and PostgreSQL share; `OLD` and `NEW` are the row before and after.
"""

from dataclasses import dataclass

from django.db import connection, transaction

_PREFIX = "portal_keep_"
_MOST_NUMBERS = 1000  # that are taken, or left out, at once
_CONTAINS = {
    "sqlite": "{row} IN (SELECT value FROM json_each(t.ids))",
    "postgresql": "t.ids @> to_jsonb({row})",
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Refuses `act` (INSERT, UPDATE, DELETE or TRUNCATE) on a table where the condition holds; empty: always."""

    table: str
    act: str
    condition: str = ""

    @property
    def name(self) -> str:
        """Of the trigger."""
        return f"{_PREFIX}{self.table.removeprefix('portal_')}_{self.act.lower()}"

    @property
    def words(self) -> str:
        """What whoever tried is told."""
        return f"{self.act} of {self.table} is refused: the audit log is append-only"


def _changes(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns)


def _is_named(kind: str, row: str) -> str:
    """Whether a tombstone names the row, so that it may go."""
    by_range = f"t.kind = '{kind}' AND {row} BETWEEN t.first_id AND t.last_id"
    by_id = f" AND {_CONTAINS[connection.vendor].format(row=row)}" if kind == "REQUESTS" else ""
    return f"EXISTS (SELECT 1 FROM portal_tombstone t WHERE {by_range}{by_id})"  # noqa: S608 (our own names)


def list_rules() -> list[Rule]:
    """All of them, for the database in use."""
    of_attempt = "(SELECT a.request_id FROM portal_attempt a WHERE a.id = OLD.attempt_id)"
    rules = [
        Rule(table="portal_event", act="UPDATE"),
        Rule(table="portal_event", act="DELETE", condition=f"NOT {_is_named('EVENTS', 'OLD.id')}"),
        Rule(table="portal_change", act="UPDATE"),
        Rule(table="portal_change", act="DELETE", condition=f"NOT {_is_named('EVENTS', 'OLD.event_id')}"),
        Rule(
            table="portal_eventnumber",
            act="UPDATE",
            condition=f"NEW.last NOT BETWEEN OLD.last + 1 AND OLD.last + {_MOST_NUMBERS}",
        ),
        Rule(table="portal_eventnumber", act="DELETE"),
        Rule(table="portal_lateanswer", act="UPDATE"),
        Rule(table="portal_lateanswer", act="DELETE", condition=f"NOT {_is_named('REQUESTS', of_attempt)}"),
        Rule(
            table="portal_attempt",
            act="UPDATE",
            condition="OLD.outcome <> 'SENDING' OR "
            + _changes(
                "id", "request_id", "number", "worker", "token", "key_fingerprint", "claimed_at", "claimed_tick"
            ),
        ),
        Rule(table="portal_attempt", act="DELETE", condition=f"NOT {_is_named('REQUESTS', 'OLD.request_id')}"),
        Rule(
            table="portal_request",
            act="UPDATE",
            condition=_changes(
                "id", "account_id", "requester_id", "submission", "type", "workspace_uid", "note", "created_at"
            ),
        ),
        Rule(table="portal_request", act="DELETE", condition=f"NOT {_is_named('REQUESTS', 'OLD.id')}"),
        Rule(table="portal_strayresponse", act="UPDATE"),
        Rule(table="portal_strayresponse", act="DELETE"),
        Rule(table="portal_restore", act="UPDATE"),
        Rule(table="portal_restore", act="DELETE"),
        Rule(table="portal_tombstone", act="UPDATE"),
        Rule(table="portal_tombstone", act="DELETE"),
        Rule(table="portal_seal", act="UPDATE"),
        Rule(table="portal_seal", act="DELETE"),
        Rule(table="portal_finding", act="UPDATE", condition=_changes("id", "kind", "what", "words")),
        Rule(table="portal_finding", act="DELETE"),
        # People are deactivated, never deleted, nor does one take the place of another.
        Rule(table="portal_user", act="DELETE"),
        Rule(table="portal_user", act="UPDATE", condition=_moves_person()),
    ]
    return rules + (_list_replacing() if connection.vendor == "sqlite" else _list_truncating(rules))


def _moves_person() -> str:
    """SQLite's UPDATE OR REPLACE deletes whoever has the name, as INSERT OR REPLACE does."""
    taken = "EXISTS (SELECT 1 FROM portal_user x WHERE x.username = NEW.username AND x.id <> OLD.id)"
    return f"{_changes('id')} OR {taken}" if connection.vendor == "sqlite" else _changes("id")


def _list_replacing() -> list[Rule]:
    """SQLite's INSERT OR REPLACE deletes what is in the way without a DELETE that a trigger could see."""
    keys = {
        "portal_event": ("id",),
        "portal_change": ("event_id, position",),
        "portal_lateanswer": ("id", "attempt_id"),
        "portal_attempt": ("id", "request_id, number"),
        "portal_request": ("id", "requester_id, submission"),
        "portal_strayresponse": ("id", "token"),
        "portal_restore": ("id",),
        "portal_tombstone": ("id",),
        "portal_seal": ("number",),
        "portal_finding": ("id", "kind, what"),
        "portal_user": ("id", "username"),
    }
    taken = {table: _is_taken(table, unique) for table, unique in keys.items()}
    # Of a request one attempt is under way: another that says so would take its place.
    taken["portal_attempt"] += " OR (NEW.outcome = 'SENDING' AND {})".format(
        _is_taken("portal_attempt", ("request_id, outcome",))
    )
    return [Rule(table=table, act="INSERT", condition=condition) for table, condition in taken.items()]


def _is_taken(table: str, keys: tuple[str, ...]) -> str:
    found = []
    for key in keys:
        columns = key.split(", ")
        same = " AND ".join(f"x.{column} = NEW.{column}" for column in columns)
        found.append(f"EXISTS (SELECT 1 FROM {table} x WHERE {same})")  # noqa: S608 (our own names)
    return " OR ".join(found)


def _list_truncating(rules: list[Rule]) -> list[Rule]:
    """PostgreSQL's TRUNCATE fires no trigger of a row."""
    return [Rule(table=table, act="TRUNCATE") for table in dict.fromkeys(rule.table for rule in rules)]


@transaction.atomic
def install_triggers() -> None:
    """Put the triggers back as they must be. Nothing where the tables are not all there yet."""
    rules = list_rules()
    if not {rule.table for rule in rules} <= set(connection.introspection.table_names()):
        return
    remove_triggers()
    with connection.cursor() as cursor:
        for rule in rules:
            for statement in _write(rule):
                cursor.execute(statement)


@transaction.atomic
def remove_triggers() -> None:
    """Take them away: before a migration on SQLite, which cannot rebuild a table that a trigger names."""
    with connection.cursor() as cursor:
        for name, table in _read_names():
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER {name}{on_table}")


def find_faults() -> list[str]:
    """What is missing or other than it must be, as sentences; empty where the record is protected."""
    present = _read_present()
    faults = []
    for rule in list_rules():
        if rule.name not in present:
            faults.append(f"The trigger {rule.name} is missing.")
        elif present[rule.name] != _describe(rule):
            faults.append(f"The trigger {rule.name} is not as the portal made it.")
    return faults


# --- How each database writes and tells of a trigger ---

# PostgreSQL's own bits: for each row, before; insert, delete, update, truncate.
_TYPES = {"UPDATE": 1 + 2 + 16, "DELETE": 1 + 2 + 8, "TRUNCATE": 2 + 32}


def _write(rule: Rule) -> list[str]:
    """The statements that make the trigger."""
    if connection.vendor == "sqlite":
        return [_write_sqlite(rule)]
    each = "STATEMENT" if rule.act == "TRUNCATE" else "ROW"
    return [
        f"CREATE OR REPLACE FUNCTION {rule.name}() RETURNS trigger LANGUAGE plpgsql AS $body${_write_body(rule)}$body$",
        f"CREATE TRIGGER {rule.name} BEFORE {rule.act} ON {rule.table} FOR EACH {each} EXECUTE FUNCTION {rule.name}()",
    ]


def _write_sqlite(rule: Rule) -> str:
    when = f" WHEN {rule.condition}" if rule.condition else ""
    return (
        f"CREATE TRIGGER {rule.name} BEFORE {rule.act} ON {rule.table}{when} "
        f"BEGIN SELECT RAISE(ABORT, '{rule.words}'); END"
    )


def _write_body(rule: Rule) -> str:
    refuse = f"RAISE EXCEPTION '{rule.words}' USING ERRCODE = 'integrity_constraint_violation';"
    if not rule.condition:
        return f" BEGIN {refuse} END "
    row = "OLD" if rule.act == "DELETE" else "NEW"
    return f" BEGIN IF {rule.condition} THEN {refuse} END IF; RETURN {row}; END "


def _read_names() -> list[tuple[str, str]]:
    """Name and table of each trigger of ours that is there."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        return [(name, table) for name, table in cursor.fetchall() if name.startswith(_PREFIX)]


def _describe(rule: Rule) -> str:
    """What the database tells of a trigger that is as it must be."""
    if connection.vendor == "sqlite":
        return _write_sqlite(rule)
    return f"{rule.table} {_TYPES[rule.act]} O {_write_body(rule)}"


def _read_present() -> dict[str, str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute(
                "SELECT tgname, concat_ws(' ', tgrelid::regclass, tgtype, tgenabled, prosrc)"
                " FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal"
            )
        return dict(cursor.fetchall())
