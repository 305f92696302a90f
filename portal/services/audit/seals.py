"""Sealing: the audit log is closed batch by batch, each seal over its events and over the seal before it.

Only what the portal has signed is sealed: an event that somebody wrote past it is left out, and moves nothing.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from django.conf import settings
from django.db import OperationalError, transaction

from portal import models
from portal.db import clock, numbers
from portal.services.audit import canonical, reading, signatures
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

BATCH = 2000  # events in a seal at most
MOST_COUNTED = 10_000  # events that wait to be sealed
_MOST_SEALS = 100  # in one round, so that a worker that is told to stop need not wait long
_LOCK_WITHIN = "200ms"  # whoever writes waits as long at most
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code


class NoSeal(Exception):
    """Nothing has been sealed yet; the message is fit for the person."""


class NotACheckpoint(Exception):
    """The file is none; the message is fit for the person."""


def read_seals(*, after: int, limit: int) -> list[models.Seal]:
    """The next seals after this number, in order."""
    return list(models.Seal.objects.filter(number__gt=after).order_by("number")[:limit])


def seal_events() -> int:
    """Seal all events beneath which nothing can be added any more. Returns how many.

    Where the table is busy, nothing is sealed: the next round will do it.
    """
    until, total = _find_horizon(), 0
    for _ in range(_MOST_SEALS):
        count = _seal_batch(until=until)
        total += count
        if count < BATCH:
            break
    return total


def _find_horizon() -> int:
    """The number that an event was given last, below which every event is committed or will never be.

    A transaction that got its number earlier may commit later: it is waited for, for a moment.
    """
    try:
        with transaction.atomic():
            return numbers.find_settled(within=_LOCK_WITHIN)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        return 0


def _seal_batch(*, until: int) -> int:
    newest = _read_newest()
    found = reading.walk_events(after=newest.last_id if newest else 0, until=until)
    authentic = (
        event for event in found if signatures.check(what="event", described=event) is signatures.Verdict.AUTHENTIC
    )
    batch = [(event["id"], event["signature"]) for event in islice(authentic, BATCH)]
    if not batch:
        return 0
    seal = models.Seal(
        number=newest.number + 1 if newest else 1,
        made_at=clock.read_clock(),
        first_id=batch[0][0],
        last_id=batch[-1][0],
        count=len(batch),
        key_id=signatures.get_key().id,
        previous=newest.digest if newest else "",
        ids=canonical.pack_ranges(numbers=(number for number, _ in batch)),
        signatures=hash_signatures(lines=[signature for _, signature in batch]),
    )
    seal.digest = signatures.sign(what="seal", described=signatures.describe_row(row=seal))
    with leases.transaction():
        seal.save(force_insert=True)
    logger.info(
        "Seal %d: %d events, %d to %d, digest %s.", seal.number, seal.count, seal.first_id, seal.last_id, seal.digest
    )
    return len(batch)


def hash_signatures(*, lines: list[str]) -> str:
    """SHA-256 of the lines, as hexadecimal digits."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _read_newest() -> models.Seal | None:
    return models.Seal.objects.defer("ids").order_by("-number").first()


def find_sealed() -> int:
    """The last event that a seal covers; 0 before the first seal."""
    newest = _read_newest()
    return newest.last_id if newest else 0


def find_fault() -> str:
    """Why the audit log cannot be sealed on, as a sentence; empty where it can."""
    newest = _read_newest()
    if newest is None or signatures.find_key(key_id=newest.key_id) is not None:
        return ""
    return (
        f"The audit log was last sealed with the audit key {newest.key_id}, which is not set: put the former"
        " PORTAL_AUDIT_KEY (or the SECRET_KEY that stood for it) into PORTAL_AUDIT_KEY_OLD."
    )


@dataclass(frozen=True, kw_only=True)
class State:
    """How far the audit log is sealed. `waiting`: events that are not, counted up to MOST_COUNTED."""

    newest: models.Seal | None
    waiting: int
    oldest_waiting_at: datetime | None
    is_late: bool


def describe_state() -> State:
    """How far the log is sealed; late where an event waits much longer than a worker takes to seal."""
    newest = _read_newest()
    waiting = models.Event.objects.filter(id__gt=newest.last_id if newest else 0).order_by("id")
    oldest = waiting.values_list("at", flat=True).first()
    # Five rounds of the job, which comes once in twelve of the others'.
    late_after = timedelta(seconds=60 * settings.PORTAL_JOB_INTERVAL)
    is_late = oldest is not None and clock.read_clock() - oldest > late_after
    return State(newest=newest, waiting=waiting[:MOST_COUNTED].count(), oldest_waiting_at=oldest, is_late=is_late)


def find_seal(*, event_id: int) -> models.Seal | None:
    """The seal that an event is under; None where it is not sealed yet, or its seal was pruned."""
    later = models.Seal.objects.defer("ids").filter(last_id__gte=event_id).order_by("last_id").first()
    return later if later is not None and later.first_id <= event_id else None


def describe_newest() -> dict[str, str | int]:
    """The newest seal as a checkpoint, fit for JSON. Raises NoSeal."""
    newest = _read_newest()
    if newest is None:
        raise NoSeal("Nothing has been sealed yet: a worker seals the audit log about once a minute.")
    return {
        "format": "workstation-portal checkpoint",
        "version": 1,
        "number": newest.number,
        "made_at": canonical.write_time(time=newest.made_at),
        "last_event": newest.last_id,
        "digest": newest.digest,
    }


class Checkpoint(NamedTuple):
    number: int
    digest: str


def read_checkpoint(*, data: object) -> Checkpoint:
    """The checkpoint in parsed JSON. Raises NotACheckpoint."""
    match data:
        case {"format": "workstation-portal checkpoint", "version": 1, "number": int(number), "digest": str(digest)}:
            return Checkpoint(number=number, digest=digest)
        case _:
            raise NotACheckpoint("This is no checkpoint: `manage.py export_checkpoint` prints one.")
