"""Triggers, written for both databases from one description: django-pgtrigger writes PostgreSQL's alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

_READ = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",
    # Whether it fires at all tells before the body.
    "postgresql": """
        SELECT tgname, tgrelid::regclass::text, concat_ws(' ', tgenabled, tgqual, prosrc)
        FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal
    """,
}


_DROP = {"sqlite": "DROP TRIGGER {name}", "postgresql": "DROP TRIGGER {name} ON {table}"}
_REFUSE = {
    "sqlite": "SELECT RAISE(ABORT, '{words}')",
    "postgresql": "RAISE EXCEPTION '{words}' USING ERRCODE = 'integrity_constraint_violation'",
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
        return self.write()[0] if connection.vendor == "sqlite" else f"O {self._write_body()}"


def refuse(words: str) -> str:
    """The statement that ends whatever was tried, with these words."""
    return _REFUSE[connection.vendor].format(words=words)


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
        for name, table in _read_present():
            if name.startswith(prefix):
                cursor.execute(_DROP[connection.vendor].format(name=name, table=table))


def find_faults(*, triggers: Iterable[Trigger]) -> list[str]:
    """Which are missing, or other than they must be, as sentences."""
    present, faults = _read_present(), []
    for trigger in triggers:
        if (place := (trigger.name, trigger.table)) not in present:
            faults.append(f"The trigger {trigger.name} is missing.")
        elif present[place] != trigger.describe():
            faults.append(f"The trigger {trigger.name} is not as the portal made it.")
    return faults


def _read_present() -> dict[tuple[str, str], str]:
    """What the database tells of each that is there, by its name and table."""
    with connection.cursor() as cursor:
        cursor.execute(_READ[connection.vendor])
        return {(name, table): description for name, table, description in cursor.fetchall()}
