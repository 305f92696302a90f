"""The rows of a batch of stories: gathered one by one, numbered in the order of time, and written at once."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, Model

from portal import models
from portal.services.audit import changes, events, rows
from tests.signing import take_numbers

# In the order in which they refer to each other; of each the time that its ids follow. Those without one have the
# numbers of their requests.
TABLES: dict[type[Model], str] = {
    models.Request: "",
    models.Workspace: "",
    models.File: "first_seen_at",
    models.Log: "first_seen_at",
    models.Workstation: "",
    models.Attempt: "claimed_at",
    models.LateResponse: "came_at",
    models.Scan: "begun_at",
    models.Event: "at",
    models.Change: "",
}

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

    def record(self, event: models.Event, *, told: Sequence[Model]) -> None:
        """Add an event, which tells of these rows. A scan in its detail becomes the scan's id."""
        self.add(event)
        if told:
            self._told.append((event, told))

    def write(self) -> None:
        """Write all of them, in the caller's transaction. The events come last: they tell what the others are now."""
        self._number()
        for model in TABLES:
            if model is models.Event:
                self._sign()
            _insert(model, self._rows[model])

    def _number(self) -> None:
        for model, time in TABLES.items():
            if time:
                self._rows[model].sort(key=attrgetter(time))
                first = _find_first_id(model, count=len(self._rows[model]))
                for number, row in enumerate(self._rows[model], start=first):
                    row.pk = number
        for late in self._rows[models.LateResponse]:
            late.attempt_id = late.attempt.pk
        for event in self._rows[models.Event]:
            if scan := event.detail.get("scan"):
                event.detail["scan"] = scan.pk

    def _sign(self) -> None:
        """Let the first event of a row tell what it is at the end of its story, and the others that it still is so."""
        told = {event.pk: described for event, described in self._told}
        states: dict[tuple[type[Model], int], rows.Columns] = {}
        for event in self._rows[models.Event]:
            said = [_describe(row, states=states) for row in told.get(event.pk, ())]
            own = changes.sign_changes(event_id=event.pk, changes=said)
            event.signature = events.sign_event(event=event, changes=own)
            self._rows[models.Change] += own


def _find_first_id(model: type[Model], *, count: int) -> int:
    """The id from which so many more rows are numbered."""
    if model is models.Event:
        return take_numbers(count)
    return int(model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0) + 1


def _describe(row: Model, *, states: dict[tuple[type[Model], int], rows.Columns]) -> changes.Change:
    kind, key = rows.find_kind(row=row), (type(row), row.pk)
    assert kind is not None
    acts = models.Change.Act
    if key not in states:
        states[key] = rows.describe(kind=kind, values=row.__dict__)
        columns: dict[str, tuple[object, object]] = {name: (None, value) for name, value in states[key].items()}
        return changes.Change(kind=kind.name, row_id=row.pk, act=acts.ADDED, columns=columns)
    name, value = next(reversed(states[key].items()))
    return changes.Change(kind=kind.name, row_id=row.pk, act=acts.CHANGED, columns={name: (value, value)})


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
