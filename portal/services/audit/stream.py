"""The audit log leaves this machine: each event once it is sealed, in the order of numbers, at least once."""

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings

from portal import models
from portal.db import places, release_connection
from portal.models.canonical_json import write_json
from portal.services.audit import canonical, reading, seals
from portal.services.audit.destinations import FAILURES, Line, Output
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

MOST = 500  # events sent at once
_LARGEST = 63 * 1024  # bytes of an event's data: the line with it has at most 64 KB
_OVERDUE = timedelta(minutes=5)


class Stream:
    """What one worker sends to the destination, and how far it has come.

    The kept position moves once what was sent is no longer in doubt. Where another worker has moved it, or it was put
    back with the database, this one goes on from there.
    """

    def __init__(self, *, destination: Output) -> None:
        self._destination = destination
        self._most = MOST
        self._kept, self._sent = -1, 0  # the newest event that the kept position knows of, and the newest of all
        self._in_doubt: deque[tuple[float, int]] = deque()  # until when, by CLOCK_MONOTONIC, and up to which event
        self._is_away = False

    def send_events(self, *, is_unchanged: Callable[[], bool]) -> None:
        """Send what is sealed and was not sent yet; what fails is tried again in the next round.

        `is_unchanged`: whether the database is the one that it was. Of a copy or an older state nothing is sent.
        """
        try:
            while lines := self._read_next(is_unchanged):
                self._send(lines)
            if self._in_doubt:
                self._send([])
        except FAILURES as error:
            self._restart(self._kept)
            self._most = max(1, self._most // 2)  # it may be too much at once for the destination
            if not self._is_away:
                logger.warning("The audit log cannot be sent: %r. It is tried again.", error)
            self._is_away = True

    def _read_next(self, is_unchanged: Callable[[], bool]) -> Sequence[Line]:
        first = {"place": places.read_place().name}
        position, _ = models.StreamPosition.objects.get_or_create(pk=1, defaults=first)
        if position.last_id != self._kept:
            self._restart(position.last_id)
        if self._sent >= seals.find_sealed():
            return []
        if not is_unchanged():
            raise OSError("nobody has said yet what became of the database")
        return list_lines(after=self._sent, most=self._most)

    def _send(self, lines: Sequence[Line]) -> None:
        release_connection()
        self._destination.send(lines)
        now = time.monotonic()
        if lines:
            self._sent = lines[-1].id
            self._in_doubt.append((now + self._destination.in_doubt, self._sent))
            self._most, self._is_away = min(MOST, self._most + 10), False
        settled = [last_id for until, last_id in self._in_doubt if until <= now]
        with leases.transaction():
            if settled:
                models.StreamPosition.objects.update(last_id=settled[-1])
        for self._kept in settled:
            self._in_doubt.popleft()

    def _restart(self, last_id: int) -> None:
        self._destination.close()
        self._in_doubt.clear()
        self._kept = self._sent = last_id


def find_warnings(*, now: datetime) -> list[str]:
    """A sentence where sealed events have waited for too long to be sent away; else nothing."""
    if not settings.PORTAL_AUDIT_STREAM:
        return []
    last_id = models.StreamPosition.objects.values_list("last_id", flat=True).first() or 0
    waiting = models.Seal.objects.filter(last_id__gt=last_id).order_by("last_id")
    since = waiting.values_list("made_at", flat=True).first()
    if since is None or now - since < _OVERDUE:
        return []
    return [f"The audit log has not been sent away since {since:%Y-%m-%d %H:%M} UTC: the workers' logs say why."]


def name_source() -> str:
    """How events name this portal elsewhere."""
    return f"workstation-portal/{models.Database.objects.get().identity}"


def fit_data(*, event: canonical.Described) -> canonical.Described:
    """All of an event; where that is too large, digests stand in the place of its largest values."""
    data = dict(event)
    texts = {name: write_json(value).encode() for name, value in data.items()}
    size = sum(map(len, texts.values()))
    for name in sorted(texts, key=lambda name: -len(texts[name])):
        if size > _LARGEST:
            data[name] = {"sha256": hashlib.sha256(texts[name]).hexdigest(), "size": len(texts[name])}
            size -= len(texts[name])
    return data


def list_lines(*, after: int, most: int) -> list[Line]:
    """At most so many sealed events after this one, as lines to send."""
    source, sealed = name_source(), models.Event.objects.filter(id__gt=after, id__lte=seals.find_sealed())
    until = max(sealed.order_by("id").values_list("id", flat=True)[:most], default=after)
    return [_write_line(event, source=source) for event in reading.walk_events(after=after, until=until)]


def write_time(*, at: str) -> str:
    """A time of the canonical form as RFC 3339 has it."""
    return f"{at.replace(' ', 'T')}Z"


def _write_line(event: canonical.Described, *, source: str) -> Line:
    data, at = fit_data(event=event), write_time(at=event["at"])
    envelope = {"specversion": "1.0", "id": str(event["id"]), "source": source, "time": at, "data": data}
    return Line(event["id"], at, write_json(envelope | {"type": f"workstation-portal.{event['verb']}"}).encode())
