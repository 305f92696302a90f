"""The rows of a batch of stories: gathered one by one, numbered in the order of time, and written at once."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import batched
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, Model

from portal import models
from portal.services.audit import keys, rowdigests

_AT_ONCE = 500
# In the order in which they refer to each other; of each the time that its ids follow. Those without one have the
# numbers of their requests.
TABLES: dict[type[Model], str] = {
    models.Request: "",
    models.Workspace: "",
    models.File: "first_seen_at",
    models.Log: "first_seen_at",
    models.Workstation: "",
    models.Attempt: "claimed_at",
    models.LateAnswer: "came_at",
    models.Scan: "begun_at",
    models.Event: "at",
}
# Those of which events tell.
_KINDS = {form.model: kind for kind, form in rowdigests.FORMS.items() if form.model in TABLES}

# What is done to values before a database takes them. SQLite compares times as texts: six digits always.
_CHANGES: dict[str, dict[type, Callable[[Any], Any]]] = {
    "postgresql": {dict: json.dumps},
    "sqlite": {
        dict: json.dumps,
        UUID: lambda uuid: uuid.hex,
        datetime: lambda moment: moment.isoformat(" ", "microseconds")[:26],
    },
}


class Batch:
    """What is added to each table."""

    def __init__(self) -> None:
        self._rows: dict[type[Model], list[Any]] = {model: [] for model in TABLES}
        self._told: list[tuple[models.Event, Sequence[Model]]] = []

    def add[Row: Model](self, row: Row) -> Row:
        """Add a row, which may still be changed before all are written."""
        self._rows[type(row)].append(row)
        return row

    def record(self, event: models.Event, *, rows: Sequence[Model]) -> None:
        """Add an event, which tells of these rows. A scan in its detail becomes the scan's id."""
        self.add(event)
        if rows:
            self._told.append((event, rows))

    def write(self) -> None:
        """Write all of them, in the caller's transaction. The events come last: they tell what the others are now."""
        self._number()
        for model, rows in self._rows.items():
            if model is models.Event:
                self._digest()
            _insert(model, rows)

    def _number(self) -> None:
        for model, time in TABLES.items():
            if time:
                newest = model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
                self._rows[model].sort(key=attrgetter(time))
                for number, row in enumerate(self._rows[model], start=newest + 1):
                    row.pk = number
        for late in self._rows[models.LateAnswer]:
            late.attempt_id = late.attempt.pk
        for event in self._rows[models.Event]:
            if scan := event.detail.get("scan"):
                event.detail["scan"] = scan.pk

    def _digest(self) -> None:
        """Let each event tell what its rows are at the end of their story: what the newest tells is what counts."""
        key = keys.get_key()
        words = {model: _digest_rows(kind, self._rows[model], key.secret) for model, kind in _KINDS.items()}
        for event, rows in self._told:
            event.row_digests = " ".join([key.id, *(words[type(row)][row.pk] for row in rows)])


def _digest_rows(kind: str, rows: Sequence[Model], secret: bytes) -> dict[int, str]:
    """What an event says of each of the rows, as the database has them."""
    words = {}
    for part in batched((row.pk for row in rows), _AT_ONCE):
        for number, row in rowdigests.read_rows(kind=kind, ids=part).items():
            digest = rowdigests.digest_row(kind=kind, number=number, row=row, secret=secret)
            words[number] = f"{kind}:{number}:{digest}"
    return words


def _insert(model: type[Model], rows: Sequence[Model]) -> None:
    """As bulk_create does, at a third of its work: a million requests have ten million events."""
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    read, change = attrgetter(*(field.attname for field in fields)), _CHANGES[connection.vendor]
    values = ([change[type(value)](value) if type(value) in change else value for value in read(row)] for row in rows)
    table, columns = model._meta.db_table, ", ".join(str(field.column) for field in fields)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
        else:
            marks = ", ".join("%s" for _ in fields)
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values))
