"""Writes the audit record."""

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Model

from portal import models
from portal.models.event import Verb
from portal.services.audit import origin, rowdigests


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
    carried: Iterable[rowdigests.Statement] = (),
) -> None:
    """Add an event. `by` nobody: the portal itself. A target without a row is named in words.

    It belongs to the request with that number; without, to the one that its target is or belongs to.
    `rows` are those that it changed (without: the target), so after their change: what they are now is kept with it.
    `gone` are those that are deleted with it; `carried` is what events that are pruned with it tell of other rows.
    Must run in the transaction of what it tells of, so that neither is there without the other.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs into the transaction of its change")
    source = origin.get_origin()
    models.Event.objects.create(
        actor_id=by.pk if by else None,
        actor_name=by.get_username() if by else "",
        address=source.address,
        http_request=source.http_request,
        verb=verb,
        target=target if isinstance(target, str) else f"{target._meta.verbose_name} {target}",
        request_number=_find_number(target) if request_number is None else request_number,
        detail=dict(detail or {}),
        reason=reason,
        row_digests=rowdigests.write_digests(
            rows=_list_rows(target) if rows is None else rows, gone=gone, carried=carried
        ),
    )


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
