"""The rows of a batch, and in which columns their values go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from django.db.models import Model

from portal import models
from portal.filling import digests, tables

type Row = list[Any]

# In the order in which they refer to each other.
COLUMNS: dict[type[Model], tuple[str, ...]] = {
    models.Request: (
        "id", "account_id", "requester_id", "submission", "type", "workspace_uid", "note", "status", "failure", "tries",
        "created_at", "queued_at", "ended_at", "cancel_wished_at", "operator_note",
    ),
    models.Workspace: ("id", "account_id", "owner_id", "uid", "status", "created_at", "first_seen_at", "raw"),
    models.File: ("id", "workspace_id", "uid", "name", "url", "size", "created_at", "first_seen_at", "raw"),
    models.Log: ("id", "workspace_id", "uid", "type", "level", "url", "created_at", "first_seen_at", "raw"),
    models.Workstation: (
        "id", "account_id", "request_id", "workspace_id", "made_for_id", "uid", "type", "status", "created_at",
        "first_seen_at", "listed_at", "refreshed_at", "refresh_due_at", "release_asked_at", "release_asked_by_id",
        "ended_at", "raw",
    ),
    models.Attempt: (
        "id", "request_id", "number", "worker", "claimed_at", "deadline_at", "ended_at", "outcome", "failure",
        "key_fingerprint", "retry_after", "http_status", "error", "message", "answer",
    ),
    models.LateAnswer: (
        "id", "attempt_id", "came_at", "outcome", "failure", "http_status", "error", "message", "answer",
    ),
    models.Scan: (
        "id", "account_id", "begun_at", "ended_at", "is_whole", "problem", "active_count", "history_count",
        "new_count",
    ),
    models.Event: (
        "id", "at", "actor_id", "actor_name", "address", "verb", "target", "request_number", "detail", "reason",
        "row_digests",
    ),
}  # fmt: skip
# Whose ids follow the time that stands in this column; the ids of others are those of their requests.
_NUMBERED: dict[type[Model], int] = {
    models.File: 6,
    models.Log: 6,
    models.Attempt: 4,
    models.LateAnswer: 2,
    models.Scan: 2,
    models.Event: 1,
}


def at(seconds: float) -> datetime:
    """The moment so many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(kw_only=True)
class Rows:
    """What a batch adds to each table. A row begins with its id, which some get only at the end."""

    newest: dict[type[Model], int]
    lists: dict[type[Model], list[Row]] = field(default_factory=lambda: {model: [] for model in COLUMNS})
    # Events whose detail names a look that has no id yet.
    evidence: list[tuple[Row, Row]] = field(default_factory=list)

    def add(self, model: type[Model], *values: Any) -> Row:
        """Add a row of the values in the order of its columns."""
        row = list(values)
        self.lists[model].append(row)
        return row

    def number(self) -> None:
        """Give ids in the order of time to all that have none yet."""
        for model, moment in _NUMBERED.items():
            self.lists[model].sort(key=itemgetter(moment))
            for number, row in enumerate(self.lists[model], start=self.newest[model] + 1):
                row[0] = number
        for row in self.lists[models.LateAnswer]:
            row[1] = row[1][0]
        for event, look in self.evidence:
            event[8]["scan"] = look[0]

    def insert(self) -> None:
        """Write all of them, in the caller's transaction."""
        for model, rows in self.lists.items():
            if model is models.Event:  # the last: it tells what the others are in the database
                digests.tell_rows(lists=self.lists)
            tables.insert_rows(model, columns=COLUMNS[model], rows=rows)


def read_newest() -> dict[type[Model], int]:
    """The highest id of each table whose ids follow the time."""
    return {model: tables.read_newest(model) for model in _NUMBERED}


def list_tables() -> Iterator[type[Model]]:
    """All that are filled."""
    yield from COLUMNS
