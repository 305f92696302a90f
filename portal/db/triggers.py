"""Triggers that refuse a write, for both databases from one description: django-pgtrigger writes PostgreSQL's alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from portal.db.connection import execute

_PREFIX = "portal_"  # of all our own, and of those that former versions made
_READ = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",
    # Whether it fires at all stands before the body.
    "postgresql": """
        SELECT tgname, tgrelid::regclass::text, concat_ws(' ', tgenabled, tgqual, prosrc)
        FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal
    """,
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Refuses `act` (UPDATE, DELETE, or PostgreSQL's TRUNCATE, which has no rows) on a table where the condition holds;
    empty: always. `OLD` and `NEW` are the row before and after."""

    table: str
    act: str
    condition: str = ""

    @property
    def name(self) -> str:
        return f"{_PREFIX}keep_{self.table.removeprefix('portal_')}_{self.act.lower()}"

    def write(self) -> list[str]:
        head = f"CREATE TRIGGER {self.name} BEFORE {self.act} ON {self.table}"
        if connection.vendor == "sqlite":
            when = f" WHEN {self.condition}" if self.condition else ""
            return [f"{head}{when} BEGIN SELECT RAISE(ABORT, '{self._words}'); END"]
        each = "STATEMENT" if self.act == "TRUNCATE" else "ROW"
        made = f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql"
        return [f"{made} AS $body${self._write_body()}$body$", f"{head} FOR EACH {each} EXECUTE FUNCTION {self.name}()"]

    def _write_body(self) -> str:
        refusal = f"RAISE EXCEPTION '{self._words}' USING ERRCODE = 'integrity_constraint_violation';"
        done = f"IF {self.condition} THEN {refusal} END IF;" if self.condition else refusal
        return f" BEGIN {done} RETURN {'OLD' if self.act == 'DELETE' else 'NEW'}; END "

    @property
    def _words(self) -> str:
        return f"{self.act} of {self.table} is refused: the audit log is append-only"

    def describe(self) -> str:
        """What the database holds of its trigger while that is as it must be."""
        return self.write()[0] if connection.vendor == "sqlite" else f"O {self._write_body()}"


@transaction.atomic
def install_triggers(*, rules: Sequence[Rule]) -> None:
    """Put our triggers as they must be. Nothing where the tables are not all there yet."""
    if not {rule.table for rule in rules} <= set(connection.introspection.table_names()):
        return
    remove_triggers()
    for rule in rules:
        for statement in rule.write():
            execute(statement)


@transaction.atomic
def remove_triggers() -> None:
    """Take ours away: before a migration on SQLite, which cannot rebuild a table that a trigger names."""
    for name, table in _read_present():
        if name.startswith(_PREFIX):
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            execute(f"DROP TRIGGER {name}{on_table}")


def find_faults(*, rules: Iterable[Rule]) -> list[str]:
    present, faults = _read_present(), []
    for rule in rules:
        if (place := (rule.name, rule.table)) not in present:
            faults.append(f"The trigger {rule.name} is missing.")
        elif present[place] != rule.describe():
            faults.append(f"The trigger {rule.name} is not as the portal made it.")
    return faults


def _read_present() -> dict[tuple[str, str], str]:
    return {(name, table): description for name, table, description in execute(_READ[connection.vendor])}
