"""Pruning events: whole seals go from the beginning of the chain, with their events, and a tombstone says what went.

Of a request that is there all events stay, and the newest about settings: the next start compares them with it.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from portal import models
from portal.db import clock
from portal.models.event import Verb
from portal.services.audit import canonical, tombstones
from portal.services.runtime import leases

BATCH = 2000  # events that go in one transaction, unless one seal has more
BATCHES = 20  # in one round, so that a worker that is told to stop need not wait long


def prune_events(*, before: datetime) -> int:
    """Prune seals that were made before then, in some batches. Returns how many events went."""
    total = 0
    for _ in range(BATCHES):
        chosen = _choose_seals(before=before)
        total += _prune(chosen)
        if not chosen:
            break
    return total


def _choose_seals(*, before: datetime) -> list[models.Seal]:
    """The next that are old enough: but for the newest of all, which the next one follows."""
    newest = models.Seal.objects.aggregate(newest=Max("number"))["newest"] or 0
    chosen, count = list[models.Seal](), 0
    for seal in models.Seal.objects.filter(made_at__lt=before, number__lt=newest).order_by("number")[:BATCH]:
        count += seal.count
        if chosen and count > BATCH:
            break
        chosen.append(seal)
    return chosen


@leases.transaction()
def _prune(chosen: Sequence[models.Seal]) -> int:
    kinds = models.Tombstone.Kind
    former = models.Tombstone.objects.filter(kind=kinds.EVENTS).order_by("-id").first()
    last_id, number, digest = (former.last_id, former.seal_number, former.seal_digest) if former else (0, 0, "")
    going = list(_list_events(until=last_id).exclude(_stays()).values_list("id", flat=True)[:BATCH])
    kept = list[int]()
    if chosen:
        new = _list_events(until=chosen[-1].last_id).filter(id__gt=last_id)
        kept = list(new.filter(_stays()).values_list("id", flat=True))
        going += new.exclude(id__in=kept).values_list("id", flat=True)
        last_id, number, digest = chosen[-1].last_id, chosen[-1].number, chosen[-1].digest
    elif former is None or not going:
        return 0
    tombstone = models.Tombstone(
        made_at=clock.read_clock(),
        kind=kinds.EVENTS,
        first_id=min([*going, *kept]),
        last_id=last_id,
        ids=canonical.pack_ranges(numbers=going),
        kept=canonical.pack_ranges(numbers=kept),
        counts={"event": len(going)},
        seal_number=number,
        seal_digest=digest,
    )
    tombstones.add_tombstones(tombstones=[tombstone])
    models.Event.objects.filter(id__in=going)._raw_delete("default")
    left = models.Change.objects.filter(event_id__range=(tombstone.first_id, tombstone.last_id))
    left.filter(~Exists(models.Event.objects.filter(pk=OuterRef("event_id"))))._raw_delete("default")
    models.Seal.objects.filter(number__lte=tombstone.seal_number)._raw_delete("default")
    return len(going)


def _list_events(*, until: int) -> QuerySet[models.Event]:
    return models.Event.objects.filter(id__lte=until).order_by("id")


def _stays() -> Q:
    newest = models.Event.objects.filter(verb=Verb.SETTINGS).order_by("-id").values_list("id", flat=True).first()
    return Q(pk=newest) | Q(Exists(models.Request.objects.filter(pk=OuterRef("request_number"))))
