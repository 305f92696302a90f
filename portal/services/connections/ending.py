"""The end of a connection: its page says so, or is silent for too long, or its workstation has ended."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.connections import access
from portal.services.runtime import leases

ALIVE_EVERY = 20.0  # seconds between two signs of life of a page
_NOTED_EVERY = timedelta(seconds=60)  # a sign of life is written down no more often
_SILENT_FOR = timedelta(seconds=180)  # a tab that nobody looks at is slowed down by its browser, to once a minute
_BATCH = 50


def note_alive(*, connection: models.Connection) -> bool:
    """Note that its page is open. False where it is over: its workstation ends, or the person may not hold it now."""
    if connection.ended_at is not None:
        return False
    allowed = access.find_access(person=connection.person, workstation=connection.workstation)
    if allowed is None or not allowed.allows(connection) or not access.is_open(workstation=connection.workstation):
        end_connection(connection=connection, by=None)
        return False
    now = clock.read_clock()
    if not timedelta(0) <= now - connection.seen_at < _NOTED_EVERY:
        models.Connection.objects.filter(pk=connection.pk, ended_at=None).update(seen_at=Now())
    return True


@transaction.atomic
def end_connection(*, connection: models.Connection, by: models.User | None) -> None:
    """Note that it ends now, unless it has ended. Without `by` the portal found out."""
    _end(connection, by=by, ended_at=clock.read_clock(), among=models.Connection.objects.filter(ended_at=None))


def list_open(
    *, workstations: Iterable[models.Workstation], besides: models.User | None = None
) -> list[models.Connection]:
    """The connections that are held now, `besides` one person's, with the person and the request."""
    rows = models.Connection.objects.filter(models.Connection.IS_HELD, workstation__in=workstations, ended_at=None)
    others = rows.exclude(person=besides).select_related("person", "workstation__request")
    return list(others.order_by("workstation", "person", "kind", "pk"))


def end_silent() -> int:
    """End those whose page is silent, at its last sign of life, and those of ended workstations. Returns how many."""
    is_silent = models.Connection.IS_HELD & Q(seen_at__lt=Now() - _SILENT_FOR)
    rows = models.Connection.objects.filter(is_silent | Q(workstation__ended_at__isnull=False), ended_at=None)
    found = rows.annotate(over_at=Coalesce("workstation__ended_at", F("seen_at"))).select_related("workstation")
    ended = 0
    for connection in found.order_by("seen_at")[:_BATCH]:
        with leases.transaction():
            # A page that has said meanwhile that it is open goes on.
            ended += _end(connection, by=None, ended_at=min(connection.over_at, clock.read_clock()), among=rows)
    return ended


def _end(
    connection: models.Connection, *, by: models.User | None, ended_at: datetime, among: QuerySet[models.Connection]
) -> bool:
    """In the caller's transaction; False where it is not among these any more. A clock that stepped makes none end
    before it began."""
    ended_at = max(connection.opened_at, ended_at)
    if not among.filter(pk=connection.pk).update(ended_at=ended_at):
        return False
    length = round((ended_at - connection.opened_at).total_seconds())
    detail = {"kind": connection.kind, "connection": connection.pk, "seconds": length}
    audit.record(Verb.END_CONNECTION, connection.workstation, by=by, detail=detail, rows=())
    connection.ended_at = ended_at
    return True
