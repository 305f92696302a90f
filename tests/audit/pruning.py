"""Rounds of the job that removes what is old, and what is left."""

from django.db import transaction

from portal import models
from portal.services.mirrors import missing
from portal.services.reports import usage
from portal.services.retention import prune
from tests import factories


def prune_all() -> int:
    """Rounds of the duties until nothing more goes."""
    while factories.acquire_lease(name="usage").run(usage.count_days):
        pass
    total = 0
    while count := factories.acquire_lease(name="prune").run(prune.prune_old):
        total += count
    return total


def end_workstations() -> None:
    """As if the provider had said that it has none of them."""
    for stored in models.Workstation.objects.live():
        with transaction.atomic():
            missing.end_workstation(stored=stored, before=missing.describe_life(stored=stored))


def count_rows() -> dict[str, int]:
    kinds = (models.Request, models.Attempt, models.LateResponse, models.SearchEntry, models.Event)
    return {kind.__name__: kind.objects.count() for kind in kinds}


def count_prunings() -> int:
    count = models.Event.objects.filter(verb="prune").count()
    assert count > 0
    return count
