"""What is known of the workers, and waking those that wait where there may be work."""

import os
import socket
import time
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from django.db import connection
from django.db.models import QuerySet

from portal import models
from portal.db.connection import execute
from portal.models.clock import Now

_SEEN_LATELY = timedelta(seconds=30)
_KEPT = timedelta(days=7)


def make_name() -> str:
    """A name for this process that no other has, by which one of the same machine can tell when it is gone."""
    boot, namespace = _find_place()
    return f"{socket.gethostname()}:{boot}:{namespace}:{os.getpid()}:{_find_start(os.getpid()) or int(time.time())}"


def list_dead(*, name: str) -> list[str]:
    """The workers whose process is gone, of those of the same boot and PID namespace as the worker `name`."""
    place = name.rsplit(":", 2)[0]
    if place.endswith(":"):
        return []  # this system does not say where a process runs
    others = models.Worker.objects.filter(name__startswith=f"{place}:", stopped_at=None).exclude(name=name)
    return [other for other in others.values_list("name", flat=True) if not _is_running(other)]


def _is_running(name: str) -> bool:
    _place, number, start = name.rsplit(":", 2)
    return _find_start(int(number)) == start


def _find_place() -> tuple[str, str]:
    """The machine's boot and the PID namespace; empty where the system has no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        return boot, str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "", ""


def _find_start(number: int) -> str | None:
    """When the process was started, in ticks since the machine was; None where there is none, or only its remains."""
    try:
        state, *fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in ("Z", "X") else fields[18]


def note_worker(*, name: str) -> None:
    """Note that the worker lives."""
    if not models.Worker.objects.filter(name=name).update(seen_at=Now(), stopped_at=None):
        models.Worker.objects.create(name=name)


def note_stopped(*, name: str) -> None:
    """Note that the worker has ended in order."""
    models.Worker.objects.filter(name=name).update(stopped_at=Now())


def prune_workers() -> None:
    """Delete workers that have not been seen for a week: each start has a name of its own."""
    models.Worker.objects.filter(seen_at__lt=Now() - _KEPT).delete()


def list_living() -> QuerySet[models.Worker]:
    """The workers that were seen within 30 seconds."""
    return models.Worker.objects.filter(stopped_at=None, seen_at__gte=Now() - _SEEN_LATELY)


CHANNEL = "portal_queue"
OUTCOMES = "portal_outcomes"


class Work(StrEnum):
    ANY = ""
    REQUESTS = "requests"
    RELEASES = "releases"


def wake_workers(*, work: Work = Work.ANY) -> None:
    """Notify the workers when the transaction commits; on SQLite they see the change by themselves."""
    _notify(channel=CHANNEL, payload=work)


def announce_outcomes(*, requests: Iterable[models.Request]) -> None:
    """Notify who waits for what became of these, when the transaction commits; on SQLite they look often."""
    if known := [str(one.pk) for one in requests if one.status not in models.Request.AWAITED]:
        _notify(channel=OUTCOMES, payload=" ".join(known))


def can_notify() -> bool:
    """Whether the database can notify: PostgreSQL does."""
    return connection.vendor == "postgresql"


def _notify(*, channel: str, payload: str = "") -> None:
    if can_notify():
        execute(f"NOTIFY {channel}, '{payload}'")
