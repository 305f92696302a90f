"""Writes the audit log."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields

from django.db import transaction
from django.db.models import Model

from portal import models
from portal.db import numbers
from portal.models.canonical_json import write_json
from portal.models.event import Verb
from portal.services.audit import canonical, changes, reading, request_context, required
from portal.services.runtime import limits


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """An event that has no number yet, and what it says of rows."""

    event: models.Event
    described: list[models.Change]


# What has a limit of its own, and the end of what was counted when it began.
_ASIDE = {Verb.OPEN_CONNECTION, Verb.END_CONNECTION, Verb.END_SESSIONS, Verb.SIGN_OUT, Verb.REFUSED}
# A stranger at an open browser can do none of these, and must not keep its owner from them.
_WITH_PASSWORD = {Verb.SIGN_IN, Verb.CHANGE_PASSWORD, Verb.USE_LINK, Verb.SET_UP}
_SIGNED = {field.name for field in fields(reading.StoredEvent)} - {"signature", "changes"}
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
    Must run in the transaction of what it tells of: neither is there without the other. May raise limits.Limited.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs into the transaction of its change")
    changed = _list_rows(target) if rows is None else rows
    described = [*changes.describe_changes(changed=changed, gone=gone, lists=lists or {}), *more]
    source = request_context.get_origin()
    event = models.Event(
        actor_id=by.pk if by else None,
        actor_name=by.get_username() if by else "",
        address=source.address,
        http_request=source.http_request,
        verb=verb,
        target=target if isinstance(target, str) else models.name_target(target),
        request_number=_find_number(target) if request_number is None else request_number,
        detail=dict(detail or {}),
        reason=str(reason),
    )
    if by and source.http_request and not source.is_counted:
        source.is_counted = _count_act(event, person=by)
    collected, entry = _COLLECTED.get(), _Entry(event=event, described=described)
    if collected is None:
        _write([entry])
    else:
        collected.append(entry)


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
    for number, entry in zip(taken, entries, strict=True):
        entry.event.pk, entry.event.at = number, at
        sign_event(event=entry.event, described=entry.described)
    models.Event.objects.bulk_create([entry.event for entry in entries])
    models.Change.objects.bulk_create([change for entry in entries for change in entry.described])


def sign_event(*, event: models.Event, described: Sequence[models.Change]) -> None:
    """Sign an event that has its number and time, with what it changed."""
    values = {name: canonical.fit(value=value) for name, value in event.__dict__.items() if name in _SIGNED}
    values["detail"] = write_json(event.detail)
    stored = [reading.StoredChange(one.kind, one.row_id, one.act, write_json(one.columns)) for one in described]
    event.signature = reading.StoredEvent(**values, signature="", changes=stored).sign()
    for position, change in enumerate(described):
        change.event_id, change.position = event.pk, position


def _count_act(event: models.Event, *, person: models.User) -> bool:
    """Count an act of the person, but for those aside and what needs a right: submissions, and operators' decisions."""
    if event.verb in _ASIDE or required.needs_right(verb=event.verb, number=event.request_number, actor=person.pk):
        return False
    limits.count_one(kind=limits.SIGN_IN if event.verb in _WITH_PASSWORD else limits.ACT, person=person)
    return True


def _find_number(target: Model | str) -> int | None:
    if isinstance(target, models.Request):
        return target.pk
    return getattr(target, "request_id", None)


def describe_moment(*, row: Model, column: str) -> dict[str, object]:
    """The detail of an event that set a time which was not set: read back, for the database's clock wrote it."""
    row.refresh_from_db(fields=[column])
    return {"before": {column: None}, "after": {column: getattr(row, column).isoformat()}}


def _list_rows(target: Model | str) -> list[Model]:
    return [] if isinstance(target, str) else [target]
