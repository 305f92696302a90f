"""What people set for themselves."""

from django.db import transaction

from portal import models
from portal.models.event import Verb
from portal.services import audit


@transaction.atomic
def set_time_zone(*, person: models.User, time_zone: str) -> None:
    """Show the person times in this zone; empty: in the portal's. What stays as it was is no event."""
    stored = models.User.objects.select_for_update().get(pk=person.pk)
    before = stored.time_zone
    if before == time_zone:
        return
    stored.time_zone = time_zone
    stored.save(update_fields=["time_zone"])
    audit.record(Verb.SET_TIME_ZONE, stored, by=stored, detail={"before": before, "after": time_zone})
