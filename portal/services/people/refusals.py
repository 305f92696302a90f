"""Acts that were refused: what somebody may not do, or tried to reach and is not theirs."""

import logging
import threading
import time

from django.db import DatabaseError, transaction

from portal import models
from portal.db import describe_failure
from portal.models.event import Verb
from portal.services import audit
from portal.services.runtime.process import MEMORY, Refusals

logger = logging.getLogger(__name__)

MOST = 10  # events for one person in a minute and process; the others are counted in the next
_MINUTE = 60.0
_LONGEST = 300  # characters


_lock = threading.Lock()


def record_refusal(*, person: models.User, act: str, status: int) -> None:
    """Note that the person was refused: `act` is the HTTP request's method and path. Never raises for the database."""
    left_out = _count(person.pk, now=time.monotonic())
    if left_out is None:
        return
    try:
        with transaction.atomic():
            detail = {"status": status, "left_out": left_out}
            audit.record(Verb.REFUSED, act[:_LONGEST], by=person, detail=detail)
    except DatabaseError as error:
        logger.warning("%s A refusal is not in the audit log.", describe_failure(error))


def _count(person_id: int, *, now: float) -> int | None:
    """How many were left out before this one, or None where this one is left out too."""
    with _lock:
        minute = MEMORY.refusals.setdefault(person_id, Refusals(since=now))
        if now - minute.since >= _MINUTE:
            minute.since, minute.count = now, 0
        minute.count += 1
        if minute.count > MOST:
            minute.left_out += 1
            return None
        left_out, minute.left_out = minute.left_out, 0
        return left_out
