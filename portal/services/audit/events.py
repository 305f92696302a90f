"""Writes the audit log."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Model

from portal import models
from portal.db import numbers
from portal.models.compiled import insert_rows
from portal.models.event import Verb
from portal.services.audit import canonical, changes, request_context, required, signatures
from portal.services.runtime import limits


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """An event that has no number yet, and what it says of rows."""

    event: models.Event
    described: list[changes.Change]


# What has a limit of its own, and the end of what was counted when it began.
_ASIDE = {Verb.OPEN_CONNECTION, Verb.END_CONNECTION, Verb.END_SESSIONS, Verb.SIGN_OUT, Verb.REFUSED}
# A stranger at an open browser can do none of these, and must not keep its owner from them.
_WITH_PASSWORD = {Verb.SIGN_IN, Verb.CHANGE_PASSWORD, Verb.USE_LINK, Verb.SET_UP}
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
    told: Sequence[changes.Change] = (),
) -> None:
    """Add an event. `by` nobody: the portal itself. A target without a row is named in words.

    It belongs to the request with that number; without, to the one that its target is or belongs to.
    `rows` are those that it changed (without: the target), as the instances have them after the change; `gone` those
    that are deleted with it. `lists`: what changed in the lists of the first row. `told`: what else it says of rows.
    Must run in the transaction of what it tells of: neither is there without the other. May raise limits.Limited.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs into the transaction of its change")
    changed = _list_rows(target) if rows is None else rows
    described = [*changes.describe_changes(changed=changed, gone=gone, lists=lists or {}), *told]
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
    kept = []
    for number, entry in zip(taken, entries, strict=True):
        entry.event.pk, entry.event.at = number, at
        signed = changes.sign_changes(event_id=number, changes=entry.described)
        entry.event.signature = sign_event(event=entry.event, changes=signed)
        kept += signed
    insert_rows([entry.event for entry in entries])
    if kept:
        insert_rows(kept)


def _count_act(event: models.Event, *, person: models.User) -> bool:
    """Count an act of the person, but for those aside and what needs a right: submissions, and operators' decisions."""
    if event.verb in _ASIDE or required.find_right(verb=event.verb, number=event.request_number, actor=person.pk):
        return False
    limits.count_one(kind=limits.SIGN_IN if event.verb in _WITH_PASSWORD else limits.ACT, person=person)
    return True


def sign_event(*, event: models.Event, changes: Sequence[models.Change]) -> str:
    """The signature of the event and of all that it changed."""
    values = [canonical.fit(value=getattr(event, name)) for name in canonical.EVENT.names[:-1]]
    return signatures.sign(what="event", values=[*values, [change.signature for change in changes]])


def check_event(*, row: canonical.Row, changes: Sequence[str]) -> signatures.Verdict:
    """Whether the portal has written the event as it is stored, with changes of these signatures."""
    return signatures.check(signature=row[-1], what="event", values=[*row[:-1], list(changes)])


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
