"""The audit log defends itself: triggers by which the database refuses to change or delete what is in it.

They hold for whoever writes: the portal, a shell, psql. Each rule is one condition under which a write is refused, in
SQL that SQLite and PostgreSQL share; `OLD` and `NEW` are the row before and after.
"""

from django.db import connection

from portal import models
from portal.db import triggers
from portal.db.triggers import Rule

_MOST_NUMBERS = 1000  # that are taken, or left out, at once
_CONTAINS = {
    "sqlite": "{row} IN (SELECT value FROM json_each(t.ids))",
    "postgresql": "t.ids @> to_jsonb({row})",
}


def list_rules() -> list[Rule]:
    of_attempt = "(SELECT a.request_id FROM portal_attempt a WHERE a.id = OLD.attempt_id)"
    claim = ("id", "request_id", "number", "worker", "token", "key_fingerprint", "claimed_at", "claimed_tick")
    submission = ("id", "account_id", "requester_id", "submission", *models.Request.SUBMITTED, "created_at")
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
    """Whether a tombstone names the row, so that it may go."""
    by_range = f"t.kind = '{kind}' AND {row} BETWEEN t.first_id AND t.last_id"
    by_id = f" AND {_CONTAINS[connection.vendor].format(row=row)}" if kind == "REQUESTS" else ""
    return f"EXISTS (SELECT 1 FROM portal_tombstone t WHERE {by_range}{by_id})"  # noqa: S608 (our own names)


def install_triggers() -> None:
    """Put the triggers back as they must be. Nothing where the tables are not all there yet."""
    triggers.install_triggers(rules=list_rules())


def find_faults() -> list[str]:
    """What is missing or other than it must be, as sentences; empty where the audit log is protected."""
    return triggers.find_faults(rules=list_rules())
