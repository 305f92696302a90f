"""Sealing: the audit log is closed batch by batch, each seal over its events and over the seal before it.

Only what the portal has signed is sealed: an event that somebody wrote past it is left out, and moves nothing.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import OperationalError, transaction

from portal import models
from portal.db import clock, numbers
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.audit import canonical, keys, marks, reading
from portal.services.runtime import leases
from portal.services.runtime.process import MEMORY

logger = logging.getLogger(__name__)

BATCH = 2000  # events in a seal at most
LOWEST_ID, HIGHEST_ID = reading.LOWEST, 2**63 - 1
MOST_COUNTED = 10_000  # events that wait to be sealed
_PAGE = 20  # seals read at once
_MOST_SEALS = 100  # in one round, so that a worker that is told to stop need not wait long
_LOCK_WITHIN = "200ms"  # whoever writes waits as long at most
_LABEL = "portal seal 1"
_CHECKPOINT = "workstation-portal checkpoint"
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code


class NoSeal(Exception):
    """Nothing has been sealed yet; the message is fit for the person."""


class NotACheckpoint(Exception):
    """The file is none; the message is fit for the person."""


@dataclass(frozen=True, kw_only=True)
class StoredSeal:
    """A seal in its canonical form, as it is stored."""

    number: int
    made_at: str
    first_id: int
    last_id: int
    count: int
    key_id: str
    previous: str
    marks: bytes
    digest: str

    def sign(self, *, secret: bytes) -> str:
        """The digest that a seal with this content has under the secret."""
        header = [
            _LABEL,
            self.number,
            self.made_at,
            self.first_id,
            self.last_id,
            self.count,
            self.key_id,
            self.previous,
        ]
        return hmac.digest(secret, canonical.encode(row=header) + b"\n" + self.marks, hashlib.sha256).hex()


def seal_events(*, lease: leases.Lease) -> int:
    """Seal all events beneath which nothing can be added any more. Returns how many.

    Where the table is busy, nothing is sealed: the next round will do it.
    """
    until = _find_horizon()
    total = 0
    for _ in range(_MOST_SEALS):
        count = _seal_batch(until=until, lease=lease)
        total += count
        if count < BATCH:
            break
    return total


def _find_horizon() -> int:
    """The highest id of an authentic event, below which every event is committed or will never be.

    A transaction that got its number earlier may commit later: it is waited for, for a moment.
    """
    try:
        with transaction.atomic():
            numbers.wait_for_writers(within=_LOCK_WITHIN)
            return reading.find_newest()
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        return LOWEST_ID


def _read_newest() -> models.Seal | None:
    return models.Seal.objects.defer("marks").order_by("-number").first()


def find_loss() -> models.Seal | None:
    """The newest seal that this process has made, where it is not there any more.

    Where the portal has noted since that its database went back, that is why, and people have been asked about it.
    """
    made = MEMORY.seal
    if made is None or models.Seal.objects.filter(number=made.number, digest=made.digest).exists():
        return None
    changed = reading.find_newest_of(verb=Verb.DATABASE_CHANGED)
    if changed is not None and changed.at >= canonical.write_time(time=made.made_at):
        MEMORY.seal = None
        return None
    return made


def _seal_batch(*, until: int, lease: leases.Lease) -> int:
    if (lost := find_loss()) is not None:
        logger.error("Seal %d, digest %s, was removed: this worker seals no more.", lost.number, lost.digest)
        return 0
    last = _read_newest()
    rows = reading.read_authentic(after=last.last_id if last else LOWEST_ID, until=until, limit=BATCH)
    if not rows:
        return 0
    seal = make_seal(
        rows=rows,
        number=last.number + 1 if last else 1,
        previous=last.digest if last else "",
        key=keys.get_key(),
        made_at=clock.read_clock(),
    )
    with transaction.atomic():
        leases.renew_lease(lease=lease)
        seal.save(force_insert=True)
    MEMORY.seal = seal
    logger.info(
        "Seal %d: %d events, %d to %d, digest %s, key %s.",
        *(seal.number, seal.count, seal.first_id, seal.last_id, seal.digest, seal.key_id),
    )
    return len(rows)


def make_seal(
    *, rows: Sequence[canonical.Row], number: int, previous: str, key: keys.AuditKey, made_at: datetime
) -> models.Seal:
    """The seal of these events, not stored yet."""
    stored = StoredSeal(
        number=number,
        made_at=canonical.write_time(time=made_at),
        first_id=rows[0][0],
        last_id=rows[-1][0],
        count=len(rows),
        key_id=key.id,
        previous=previous,
        marks=b"".join(marks.mark_event(row=row) for row in rows),
        digest="",
    )
    return models.Seal(
        number=number,
        made_at=made_at,
        first_id=stored.first_id,
        last_id=stored.last_id,
        count=stored.count,
        key_id=key.id,
        previous=previous,
        marks=stored.marks,
        digest=stored.sign(secret=key.secret),
    )


def read_seals(*, after: int, limit: int) -> list[StoredSeal]:
    """Seals with numbers above `after`, in their order."""
    # SQLite takes a text for a number above all others: find_headless reports such a seal.
    rows = canonical.read_rows(
        form=canonical.SEAL, where="number > %s AND number <= %s", values=[after, HIGHEST_ID], limit=limit
    )
    return [_restore(row) for row in rows]


def walk_seals(*, after: int = LOWEST_ID) -> Iterator[StoredSeal]:
    """All with numbers above `after`, in their order, a few at a time: they come with their marks."""
    while page := read_seals(after=after, limit=_PAGE):
        yield from page
        after = page[-1].number


def is_intact(*, seal: StoredSeal, rows: Sequence[canonical.Row]) -> bool:
    """Whether the seal is authentic, and these, which are, are its events."""
    key = keys.find_key(key_id=seal.key_id)
    if key is None or seal.sign(secret=key.secret) != seal.digest:
        return False
    return b"".join(marks.mark_event(row=row) for row in rows) == seal.marks


def _restore(row: canonical.Row) -> StoredSeal:
    values = dict(zip(canonical.SEAL.names, row, strict=True))
    marks = values["marks"]
    fit: dict[str, object] = {"marks": bytes(marks) if isinstance(marks, bytes | memoryview) else b""}
    # SQLite stores what it is given: a number that is none is no seal's, and what is not as it was signed is altered.
    fit |= {name: values[name] if isinstance(values[name], int) else 0 for name in ("first_id", "last_id", "count")}
    return StoredSeal(**values | fit)


def find_fault() -> str:
    """Why the audit log cannot be sealed on, as a sentence; empty where it can."""
    newest = _read_newest()
    if newest is None or keys.find_key(key_id=newest.key_id) is not None:
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
    """How far the log is sealed; late where an event of the portal's waits much longer than a worker takes to seal."""
    newest = _read_newest()
    after = newest.last_id if newest else LOWEST_ID
    oldest = reading.read_authentic(after=after, until=HIGHEST_ID, limit=1)
    waiting = models.Event.objects.filter(id__gt=after).order_by("id")
    timed = waiting.filter(id=oldest[0][0]).annotate(now=Now()).values("at", "now").first() if oldest else None
    # Five rounds of the job, which comes once in twelve of the others'.
    late_after = 60 * settings.PORTAL_JOB_INTERVAL
    return State(
        newest=newest,
        waiting=waiting[:MOST_COUNTED].count(),
        oldest_waiting_at=timed["at"] if timed else None,
        is_late=timed is not None and (timed["now"] - timed["at"]).total_seconds() > late_after,
    )


def find_seal(*, event_id: int) -> models.Seal | None:
    """The seal that an event is under; None where it is not sealed yet."""
    later = models.Seal.objects.defer("marks").filter(last_id__gte=event_id).order_by("last_id").first()
    return later if later is not None and later.first_id <= event_id else None


def describe_newest() -> dict[str, str | int]:
    """The newest seal as a checkpoint, fit for JSON. Raises NoSeal."""
    newest = _read_newest()
    if newest is None:
        raise NoSeal("Nothing has been sealed yet: a worker seals the audit log about once a minute.")
    return {
        "format": _CHECKPOINT,
        "version": 1,
        "number": newest.number,
        "made_at": canonical.write_time(time=newest.made_at),
        "last_event": newest.last_id,
        "key": newest.key_id,
        "digest": newest.digest,
    }


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A seal that was kept elsewhere."""

    number: int
    digest: str


def read_checkpoint(*, data: object) -> Checkpoint:
    """The checkpoint in parsed JSON. Raises NotACheckpoint."""
    match data:
        case {"format": "workstation-portal checkpoint", "version": 1, "number": int(number), "digest": str(digest)}:
            return Checkpoint(number=number, digest=digest)
        case _:
            raise NotACheckpoint("This is no checkpoint: `manage.py export_checkpoint` prints one.")
