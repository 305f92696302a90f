"""Tombstones: what was pruned, named before it goes. The database lets nothing else be deleted from the audit log."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now


class Tombstone(Audited):
    """One batch that is pruned: events by ranges of ids, requests (with all attempts) and workstations by each.

    With events go their seals, up to `seal_number`, whose digest the chain of seals goes on from.
    """

    AUDITED = ("made_at", "kind", "first_id", "last_id", "ids", "kept", "counts", "seal_number", "seal_digest")
    BEGINS = True
    SIGNATURE = "signature"

    class Kind(models.TextChoices):
        EVENTS = "EVENTS", "Events"
        REQUESTS = "REQUESTS", "Requests"
        WORKSTATIONS = "WORKSTATIONS", "Workstations"

    made_at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=12, choices=Kind)
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    ids = models.JSONField(default=list, help_text=_("Of each; of events as ranges."))
    kept = models.JSONField(default=list, help_text=_("Events of those seals that stay, as ranges."))
    counts = models.JSONField(default=dict, help_text=_("Rows by kind."))
    seal_number = models.BigIntegerField(default=0)
    seal_digest = models.CharField(max_length=64)
    signature = models.CharField(max_length=48, help_text=_("Of all this, with the audit key."))

    class Meta:
        verbose_name = _("deletion record")
        indexes = [models.Index(fields=["kind", "last_id"], name="tombstone_by_range")]

    def __str__(self) -> str:
        return f"deletion record {self.pk}"
