"""Writes the audit log: events, and what they change about rows, as the audited columns before and after."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Model

from portal import models
from portal.db import numbers
from portal.models.audited import Audited
from portal.models.event import Verb
from portal.services.audit import reading, rows, signatures


@dataclass(kw_only=True)
class Origin:
    """Where an act comes from: its address, and the id of the HTTP request; both empty for what no page did."""

    address: str = ""
    http_request: str = ""
    count: Callable[..., bool] | None = None  # counts an act of a person; None once one is, and where none need be
    token: int | None = None  # the number of the token with which a program did it


type _Entry = tuple[models.Event, list[models.Change]]  # an event that has no number yet, and what it says of rows

_ORIGIN: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 (nobody changes it)
_COLLECTED: ContextVar[list[_Entry] | None] = ContextVar("collected", default=None)


def record(
    verb: Verb,
    target: Model | str,
    *,
    by: models.User | None = None,
    request_number: int | None = None,
    detail: Mapping[str, object] | None = None,
    reason: str = "",
    rows: Sequence[Model] | None = None,
    gone: Sequence[Model] = (),
    lists: Mapping[str, tuple[object, object]] | None = None,
    more: Sequence[models.Change] = (),
) -> None:
    """Add an event. `by` nobody: the portal itself. A target without a row is named in words.

    It belongs to the request with that number; without, to the one that its target is or belongs to.
    `rows` are those that it changed (without: the target), as the instances have them after the change; `gone` those
    that are deleted with it. `lists`: what changed in the lists of the first row. `more`: what else it changed.
    Must run in the transaction of what it records: neither is there without the other. May raise limits.Limited.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs into the transaction of its change")
    if rows is None:
        rows = [] if isinstance(target, str) else [target]
    if request_number is None:
        request_number = target.pk if isinstance(target, models.Request) else getattr(target, "request_id", None)
    described = [*describe_changes(changed=rows, gone=gone, lists=lists or {}), *more]
    source = _ORIGIN.get()
    event = models.Event(
        actor_id=by.pk if by else None,
        actor_name=by.get_username() if by else "",
        address=source.address,
        http_request=source.http_request,
        verb=verb,
        target=target if isinstance(target, str) else models.name_target(target),
        request_number=request_number,
        detail={**(detail or {}), **({"token": source.token} if source.token else {})},
        reason=str(reason),
    )
    if by and source.count and source.count(event=event, person=by):
        source.count = None
    if (collected := _COLLECTED.get()) is None:
        _write([(event, described)])
    else:
        collected.append((event, described))


@contextmanager
def acting_from(*, origin: Origin) -> Iterator[None]:
    """What is done within comes from there."""
    before = _ORIGIN.set(origin)
    try:
        yield
    finally:
        _ORIGIN.reset(before)


def read_address() -> str:
    """Where the present act comes from; empty for what no page does."""
    return _ORIGIN.get().address


@contextmanager
def collect_events() -> Iterator[None]:
    """Write the events of what is done within at its end, all of them at once, in the caller's transaction.

    What an inner block collects is dropped with its savepoint: where it raises.
    """
    outer, collected = _COLLECTED.get(), list[_Entry]()
    token = _COLLECTED.set(collected)
    try:
        yield
    finally:
        _COLLECTED.reset(token)
    if outer is not None:
        outer.extend(collected)
    elif collected:
        _write(collected)


def _write(entries: Sequence[_Entry]) -> None:
    taken, at = numbers.take_event_numbers(count=len(entries))
    for number, (event, described) in zip(taken, entries, strict=True):
        event.pk, event.at = number, at
        sign_event(event=event, described=described)
    models.Event.objects.bulk_create([event for event, _ in entries])
    models.Change.objects.bulk_create([change for _, described in entries for change in described])


def sign_event(*, event: models.Event, described: Sequence[models.Change]) -> None:
    """Sign an event that has its number and time, with what it changed."""
    for position, change in enumerate(described):
        change.event_id, change.position = event.pk, position
    changes = [{name: getattr(change, name) for name in reading.CHANGE} for change in described]
    values = signatures.describe_row(row=event) | {"id": event.pk, "changes": changes}
    event.signature = signatures.sign(what="event", described=values)


def describe_moment(*, row: Model, column: str) -> dict[str, object]:
    """The detail of an event that set a time which was not set: read back, for the database's clock wrote it."""
    row.refresh_from_db(fields=[column])
    return {"before": {column: None}, "after": {column: getattr(row, column).isoformat()}}


def describe_changes(
    *, changed: Iterable[Model], gone: Iterable[Model], lists: Mapping[str, tuple[object, object]]
) -> list[models.Change]:
    """What is to be said of rows that were changed, as the instances have them, and of rows that go.

    `lists`: what changed in the lists of the first. Rows of other kinds are left out, and those without a change.
    """
    described = [_describe(row, lists=lists if place == 0 else {}) for place, row in enumerate(dict.fromkeys(changed))]
    # Of what goes, nothing that it held is kept.
    kinds = [(row, rows.find_kind(row=row)) for row in gone]
    removed = [
        models.Change(kind=kind.name, row_id=row.pk, act=models.Change.Act.REMOVED) for row, kind in kinds if kind
    ]
    return [change for change in described if change] + removed


def _describe(row: Model, *, lists: Mapping[str, tuple[object, object]]) -> models.Change | None:
    kind = rows.find_kind(row=row)
    if kind is None:
        return None
    if isinstance(row, Audited):
        is_new, columns = _compare(row, kind=kind)
    else:
        is_new, columns = all(before is None for before, _ in lists.values()), {}
    columns |= {name: list(values) for name, values in lists.items()}
    act = models.Change.Act.ADDED if is_new else models.Change.Act.CHANGED
    return models.Change(kind=kind.name, row_id=row.pk, act=act, columns=columns) if columns else None


def _compare(row: Audited, *, kind: rows.Kind) -> tuple[bool, dict[str, list[object]]]:
    """Whether the row is new, and its columns before and after: those that changed, or all where no event has it."""
    stored = row.stored
    before = {} if stored is None else rows.describe(kind=kind, values=stored)
    # What the database computed is not in the instance yet.
    if computed := [name for name in kind.columns if hasattr(row.__dict__.get(name), "resolve_expression")]:
        row.refresh_from_db(fields=computed)
    after = rows.describe(kind=kind, values=row.__dict__)
    row.note_recorded()
    if stored is None:
        return True, {name: [None, value] for name, value in after.items()}
    if not kind.begins and not models.Change.objects.filter(kind=kind.name, row_id=row.pk).exists():
        (found,) = rows.read_rows(kind=kind, ids=[row.pk]).values()
        after = {name: rows.hide(kind=kind, column=name, value=value) for name, value in found.items()}
        return False, {name: [before.get(name, value), value] for name, value in after.items()}
    pairs = {name: [before.get(name), value] for name, value in after.items()}
    return False, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
