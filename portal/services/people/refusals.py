"""Acts that were refused: what somebody may not do, tried to reach and is not theirs, or did too often."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, transaction

from portal import models
from portal.db import describe_failure
from portal.models.event import Verb
from portal.services import audit
from portal.services.runtime import limits

logger = logging.getLogger(__name__)

_LONGEST = 300  # characters


def record_refusal(*, person: models.User, act: str, status: int) -> None:
    """Note that the person was refused: `act` is the HTTP request's method and path. Never raises for the database."""
    try:
        with _writing():
            limits.count_one(kind=limits.REFUSAL, person=person)
            audit.record(Verb.REFUSED, act[:_LONGEST], by=person, detail={"status": status})
    except limits.Limited as error:
        record_limit(limited=error, act=act, status=status)


def record_limit(*, limited: limits.Limited, act: str = "", status: int = 429) -> None:
    """Note that it was done too often: one event a window, with the number of the refusals before it that have none."""
    with _writing():
        row = limited.rows.select_for_update().get()
        window_ends = row.at + limits.WINDOW
        if is_new := row.blocked_until != window_ends:
            target = act or f"more than {limited.kind.most} {limited.kind.name}s a minute"
            detail = {"status": status, "left_out": row.left_out}
            audit.record(Verb.REFUSED, target[:_LONGEST], by=limited.person, detail=detail)
        limited.rows.update(blocked_until=window_ends, left_out=0 if is_new else row.left_out + 1)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        logger.warning("%s A refusal is not in the audit log.", describe_failure(error))
