"""Whether the database is the one that it was: not a copy, and not an older state of itself.

Either would send again what was sent. So a worker looks under the key's lock, before each claim, at where the database
is and at how high its tick is, and pauses the key where either is not as this process, or SQLite's file beside the
database, remembers it. An operator then says what happened.
"""

import logging
from functools import partial

from django.conf import settings
from django.db import transaction

from portal import models
from portal.db import clock, numbers, places
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, databases, key_lock
from portal.services.key.databases import MEMORY

logger = logging.getLogger(__name__)

# More than were ever claimed in what a restore loses: whatever tick any process remembers, the next one is higher.
_TICK_GAP = 1_000_000_000
_NUMBER_GAP = 1_000


@transaction.atomic
def check_database() -> bool:
    """Look, whether anything waits or not: False where an operator has to say what became of the database."""
    pause_if_moved(key=key_lock.lock_key(account=accounts.get_current_account()))
    return find_doubt() is None


def may_tell() -> bool:
    """Whether what happened may leave this machine: not from a copy, though it is a sandbox's, which works on."""
    if not check_database():
        return False
    return not models.StreamPosition.objects.exclude(place=places.read_place().name).exists()


def may_call(*, key: models.Key) -> bool:
    """Whether the locked key may be used for what is no POST: its pause allows it, and the database has not moved."""
    pause_if_moved(key=key)
    return not circuit_breaker.stops_all_calls(key=key)


def pause_if_moved(*, key: models.Key, row: models.Database | None = None, place: places.Place | None = None) -> None:
    """Pause the locked key where the database is not the one that it was, until an operator says what happened.

    `row` and `place`: the database's, where the caller has just read them under that lock.
    """
    row, place = row or databases.get_database(), place or places.read_place()
    if what := _find_change(row=row, place=place, key=key):
        row = _note_change(what=what, place=place, key=key)
    if row.doubt and not (key.is_paused and key.cause == models.DATABASE_MOVED):
        circuit_breaker.pause_with_question(key=key, cause=models.DATABASE_MOVED, now=clock.read_clock())
    transaction.on_commit(partial(_remember, row=row, key=key))


def doubt_database(*, key: models.Key, what: str) -> None:
    """Pause the locked key, for something else has shown that the database went back."""
    _note_change(what=what, place=places.read_place(), key=key)
    pause_if_moved(key=key)


def accept_database(*, key: models.Key) -> models.Database:
    """Take the database as it is now, whatever any process remembers, and end the pause. The caller records it."""
    row, place = databases.get_database(), places.read_place()
    key.change(tick=key.tick + _TICK_GAP)
    row.place, row.timeline, row.timeline_tick = place.name, place.timeline, key.tick
    row.doubt, row.doubted_at = "", None
    row.save()
    models.StreamPosition.objects.update(place=place.name)
    if key.is_paused and key.cause == models.DATABASE_MOVED:
        circuit_breaker.end_pause(key=key, now=clock.read_clock())
    transaction.on_commit(partial(_remember, row=row, key=key))
    return row


def skip_numbers() -> None:
    """Leave out the numbers that requests and events may have had in what was lost: each names one thing."""
    numbers.skip_numbers(table="portal_request", count=_NUMBER_GAP)
    numbers.take_event_numbers(count=_NUMBER_GAP)


def find_doubt() -> models.Database | None:
    """The database's row, while an operator has to say what became of it."""
    return models.Database.objects.exclude(doubt="").first()


def _recall() -> bool:
    """Read SQLite's file where this process has seen nothing yet; returns whether anything is known.

    The file may be behind, and is never ahead: only what was committed is kept.
    """
    if not MEMORY.identity and places.has_file() and (values := places.read_file()) is not None:
        MEMORY.identity = str(values.get("identity") or "unreadable")
        MEMORY.ticks = dict(values.get("ticks") or {})
    return bool(MEMORY.identity)


def _remember(*, row: models.Database, key: models.Key) -> None:
    """Note, after the commit, what the database is now; in SQLite's file too, for the next process."""
    if MEMORY.identity != row.identity:
        MEMORY.ticks = {}
    MEMORY.identity, MEMORY.timeline = row.identity, row.timeline
    # Two threads' commits may be noted in the other order.
    MEMORY.ticks[str(key.pk)] = max(key.tick, _get_tick(key=key))
    if places.has_file():
        try:
            places.write_file(values={"identity": MEMORY.identity, "ticks": MEMORY.ticks})
        except OSError:
            logger.warning("The file beside the database cannot be written.")


def _forget() -> None:
    MEMORY.identity, MEMORY.timeline, MEMORY.ticks = "", 0, {}


def _get_tick(*, key: models.Key) -> int:
    return MEMORY.ticks.get(str(key.pk), 0)


def _find_change(*, row: models.Database, place: places.Place, key: models.Key) -> str:
    if _recall():
        return find_change(row=row, place=place, tick=key.tick, memory=MEMORY, seen=_get_tick(key=key))
    # Whoever claimed has written the file, unless the claim is part of this very transaction.
    lacks_file = places.has_file() and bool(key.tick) and row.identity not in MEMORY.given
    return find_change(row=row, place=place, tick=key.tick, lacks_file=lacks_file)


def find_change(
    *,
    row: models.Database,
    place: places.Place,
    tick: int,
    memory: databases.Memory | None = None,
    seen: int = 0,
    lacks_file: bool = False,
) -> str:
    """What shows that this is a copy, that something was lost, or a promotion that lost nothing; else empty.

    `memory`: what a process remembers, if anything, with the tick that it has `seen` of the key.
    """
    if row.place != place.name:
        return "place"
    if memory is None:
        if lacks_file:
            return "no-file"
        return "timeline" if row.timeline != place.timeline else ""  # nobody here knows what was there before
    if memory.identity != row.identity:
        return "identity"
    # Another worker, which had seen less, may have found that the promotion lost nothing.
    has_lost = memory.timeline != row.timeline and seen > row.timeline_tick
    if seen > tick or has_lost:
        return "tick"
    return "promotion" if place.timeline != row.timeline else ""


def _note_change(*, what: str, place: places.Place, key: models.Key) -> models.Database:
    """Record the change. Unless it is harmless, the row doubts from now on, and numbers are skipped at once."""
    row = databases.get_database()
    before = {"place": row.place, "timeline": row.timeline, "doubt": row.doubt}
    row.place, row.timeline, row.timeline_tick = place.name, place.timeline, key.tick
    if what != "promotion" and not row.doubt:
        skip_numbers()
        if not settings.USING_SANDBOX:
            row.doubt, row.doubted_at = what, Now()
    row.save()
    row.refresh_from_db()
    # What was seen of the former state has been recorded: from now on this one is looked at.
    transaction.on_commit(_forget)
    after = {"place": row.place, "timeline": row.timeline, "doubt": row.doubt}
    detail = {"what": what, "before": before, "after": after, "seen_tick": _get_tick(key=key), "tick": key.tick}
    audit.record(Verb.DATABASE_CHANGED, row, detail=detail)
    return row
