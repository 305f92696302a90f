"""The audit log defends itself: triggers by which the database refuses to change or delete what is in it.

They hold for whoever writes: the portal, a shell, psql. Each rule is one condition under which a write is refused, in
SQL that SQLite and PostgreSQL share; `OLD` and `NEW` are the row before and after.
"""

from dataclasses import dataclass

from django.db import connection

from portal import models
from portal.db import triggers

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
        """The trigger's name."""
        return f"{_PREFIX}{self.table.removeprefix('portal_')}_{self.act.lower()}"

    @property
    def words(self) -> str:
        """The database's error message where the trigger refuses a statement."""
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
    claim = ("id", "request_id", "number", "worker", "token", "key_fingerprint", "claimed_at", "claimed_tick")
    submission = ("id", "account_id", "requester_id", "submission", *models.Request.SUBMITTED, "created_at")
    skips = f"NEW.last NOT BETWEEN OLD.last + 1 AND OLD.last + {_MOST_NUMBERS}"
    rules = [
        Rule(table="portal_event", act="UPDATE"),
        Rule(table="portal_event", act="DELETE", condition=f"NOT {_is_named('EVENTS', 'OLD.id')}"),
        Rule(table="portal_change", act="UPDATE"),
        Rule(table="portal_change", act="DELETE", condition=f"NOT {_is_named('EVENTS', 'OLD.event_id')}"),
        # A number that is set back would be given again.
        Rule(table="portal_eventnumber", act="UPDATE", condition=skips),
        Rule(table="portal_eventnumber", act="DELETE"),
        Rule(table="portal_lateresponse", act="UPDATE"),
        Rule(table="portal_lateresponse", act="DELETE", condition=f"NOT {_is_named('REQUESTS', of_attempt)}"),
        Rule(table="portal_attempt", act="UPDATE", condition=f"OLD.outcome <> 'SENDING' OR {_changes(*claim)}"),
        Rule(table="portal_attempt", act="DELETE", condition=f"NOT {_is_named('REQUESTS', 'OLD.request_id')}"),
        Rule(table="portal_request", act="UPDATE", condition=_changes(*submission)),
        Rule(table="portal_request", act="DELETE", condition=f"NOT {_is_named('REQUESTS', 'OLD.id')}"),
        *(
            Rule(table=f"portal_{name}", act=act)
            for name in ("strayresponse", "restore", "tombstone", "seal")
            for act in ("UPDATE", "DELETE")
        ),
        # People are deactivated, never deleted, nor does one take the place of another.
        Rule(table="portal_user", act="DELETE"),
        Rule(table="portal_user", act="UPDATE", condition=_moves_person()),
    ]
    if connection.vendor == "sqlite":
        return rules + _list_replacing()
    # PostgreSQL's TRUNCATE fires no trigger of a row.
    return rules + [Rule(table=table, act="TRUNCATE") for table in dict.fromkeys(rule.table for rule in rules)]


def _moves_person() -> str:
    """SQLite's UPDATE OR REPLACE deletes whoever has the name, as INSERT OR REPLACE does."""
    taken = "EXISTS (SELECT 1 FROM portal_user x WHERE x.username = NEW.username AND x.id <> OLD.id)"
    return f"{_changes('id')} OR {taken}" if connection.vendor == "sqlite" else _changes("id")


def _list_replacing() -> list[Rule]:
    """SQLite's INSERT OR REPLACE deletes what is in the way without a DELETE that a trigger could see."""
    keys = {
        "portal_event": ("id",),
        "portal_change": ("event_id, position",),
        "portal_lateresponse": ("id", "attempt_id"),
        "portal_attempt": ("id", "request_id, number"),
        "portal_request": ("id", "requester_id, submission"),
        "portal_strayresponse": ("id", "token"),
        "portal_restore": ("id",),
        "portal_tombstone": ("id",),
        "portal_seal": ("number",),
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


def install_triggers() -> None:
    """Put the triggers back as they must be. Nothing where the tables are not all there yet."""
    triggers.install_triggers(triggers=_list_triggers(), prefix=_PREFIX)


def remove_triggers() -> None:
    """Take them away: before a migration on SQLite."""
    triggers.remove_triggers(prefix=_PREFIX)


def find_faults() -> list[str]:
    """What is missing or other than it must be, as sentences; empty where the audit log is protected."""
    return triggers.find_faults(triggers=_list_triggers())


def _list_triggers() -> list[triggers.Trigger]:
    return [
        triggers.Trigger(
            name=rule.name,
            table=rule.table,
            act=rule.act,
            condition=rule.condition,
            is_before=True,
            statement=triggers.refuse(rule.words),
        )
        for rule in list_rules()
    ]
