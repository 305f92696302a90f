"""Notes what begins without an act: a slow queue, and workstations that stay unassigned. Each once."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Concat

from portal import models
from portal.db import clock
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts
from portal.services.notifications import telling
from portal.services.reports import readiness
from portal.services.runtime import leases

_MOST = 200  # in one transaction; the next round goes on
_SETTLED, _FORGOTTEN = timedelta(minutes=10), timedelta(days=1)  # until then a request may turn out to own it


def note_lasting() -> None:
    """Record events for what lasts and no act begins: a slow queue, and unassigned workstations."""
    waiting, was_slow = readiness.find_slow_request(), telling.read_position().is_queue_slow
    if (waiting is not None) != was_slow:
        with leases.transaction():
            models.StreamPosition.objects.update(is_queue_slow=not was_slow)
            if waiting is not None:
                audit.record(Verb.QUEUE_SLOW, waiting, rows=())
    if new := _find_unassigned():
        with leases.transaction(), audit.collect_events():
            for workstation in new:
                audit.record(Verb.UNASSIGNED, workstation, rows=())


def _find_unassigned() -> list[models.Workstation]:
    now, account = clock.read_clock(), accounts.get_current_account()
    orphans = models.Workstation.objects.orphans().filter(account=account, release_requested_at=None)
    settled = orphans.filter(first_seen_at__range=(now - _FORGOTTEN, now - _SETTLED)).order_by("id").defer("raw")
    name = Concat(Value(models.name_target(models.Workstation())), OuterRef("uid"))
    noted = models.Event.objects.filter(verb=Verb.UNASSIGNED, target=name)
    return list(settled.exclude(Exists(noted))[:_MOST])
