"""Triggers, written for both databases from one description: django-pgtrigger writes PostgreSQL's alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

# PostgreSQL's own bits.
_ROW, _BEFORE = 1, 2
_ACTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
_READ = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",
    # What keeps it from firing, or lets its body mean another thing, tells before the body.
    "postgresql": """
        SELECT tgname, tgrelid::regclass::text, concat_ws(' ', tgtype, tgenabled, (
            SELECT string_agg(attname, ', ' ORDER BY attname) FROM pg_attribute
            WHERE attrelid = tgrelid AND attnum = ANY(tgattr)
        ), tgqual, proconfig, nullif(lanname, 'plpgsql'), nullif(prosecdef, false), prosrc)
        FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_language ON pg_language.oid = prolang
        WHERE NOT (tgisinternal AND tgfoid < 16384)
    """,
}


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Runs `statement` for each row where the condition holds, before or after `act` on the table.

    `OLD` and `NEW` are the row before and after. The act is INSERT, DELETE, UPDATE, UPDATE OF some columns, or
    PostgreSQL's TRUNCATE, which has no rows.
    """

    name: str
    table: str
    act: str
    statement: str
    is_before: bool
    condition: str = ""

    def write(self) -> list[str]:
        """The SQL statements that create the trigger."""
        head = f"CREATE TRIGGER {self.name} {'BEFORE' if self.is_before else 'AFTER'} {self.act} ON {self.table}"
        if connection.vendor == "sqlite":
            when = f" WHEN {self.condition}" if self.condition else ""
            return [f"{head}{when} BEGIN {self.statement}; END"]
        each = "STATEMENT" if self.act == "TRUNCATE" else "ROW"
        made = f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql"
        return [f"{made} AS $body${self._write_body()}$body$", f"{head} FOR EACH {each} EXECUTE FUNCTION {self.name}()"]

    def _write_body(self) -> str:
        done = f"IF {self.condition} THEN {self.statement}; END IF;" if self.condition else f"{self.statement};"
        row = "NULL" if not self.is_before else "OLD" if self.act == "DELETE" else "NEW"
        return f" BEGIN {done} RETURN {row}; END "

    def describe(self) -> str:
        """What the database tells of it while it is as it must be."""
        if connection.vendor == "sqlite":
            return self.write()[0]
        act, _, columns = self.act.partition(" OF ")
        bits = _ACTS[act] + _BEFORE * self.is_before + _ROW * (act != "TRUNCATE")
        return " ".join(filter(None, [f"{bits} O", ", ".join(sorted(columns.split(", "))), self._write_body()]))


def refuse(words: str) -> str:
    """The statement that ends whatever was tried, with these words."""
    if connection.vendor == "sqlite":
        return f"SELECT RAISE(ABORT, '{words}')"
    return f"RAISE EXCEPTION '{words}' USING ERRCODE = 'integrity_constraint_violation'"


@transaction.atomic
def install_triggers(*, triggers: Sequence[Trigger], prefix: str) -> None:
    """Put all whose names begin so as they must be. Nothing where the tables are not all there yet."""
    if not {trigger.table for trigger in triggers} <= set(connection.introspection.table_names()):
        return
    remove_triggers(prefix=prefix)
    with connection.cursor() as cursor:
        for trigger in triggers:
            for statement in trigger.write():
                cursor.execute(statement)


@transaction.atomic
def remove_triggers(*, prefix: str) -> None:
    """Take them away: before a migration on SQLite, which cannot rebuild a table that a trigger names."""
    with connection.cursor() as cursor:
        for name, table, _ in _read_present():
            if name.startswith(prefix):
                on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER {name}{on_table}")


def find_faults(*, triggers: Iterable[Trigger]) -> list[str]:
    """Which are missing, or other than they must be, as sentences."""
    present = {(name, table): description for name, table, description in _read_present()}
    faults = ["The database fires no triggers for the portal's role."] * _fires_none()
    for trigger in triggers:
        if (place := (trigger.name, trigger.table)) not in present:
            faults.append(f"The trigger {trigger.name} is missing.")
        elif present[place] != trigger.describe():
            faults.append(f"The trigger {trigger.name} is not as the portal made it.")
    return faults


def _fires_none() -> bool:
    """A superuser of PostgreSQL may say so for a role."""
    if connection.vendor == "sqlite":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        return bool(cursor.fetchone()[0] == "replica")


def _read_present() -> list[tuple[str, str, str]]:
    """Name, table and description of each that is there."""
    with connection.cursor() as cursor:
        cursor.execute(_READ[connection.vendor])
        return list(cursor.fetchall())
