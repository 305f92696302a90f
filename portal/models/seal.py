"""Seals: what the audit log held, batch by batch, under a key that the database does not know."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Seal(models.Model):
    """One batch of events: all from the end of the seal before it up to `last_id`. docs/audit-log.md has its form."""

    SIGNATURE = "digest"

    number = models.BigIntegerField(primary_key=True, help_text=_("1, 2, 3 ...: none is left out."))
    made_at = models.DateTimeField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    count = models.PositiveIntegerField(help_text=_("Events in it; ids between them may be missing from the start."))
    key_id = models.CharField(max_length=8, help_text=_("Of the audit key; reveals nothing of it."))
    previous = models.CharField(max_length=64, help_text=_("The digest of the seal before it."))
    ids = models.JSONField(help_text=_("Of its events, as ranges."))
    signatures = models.CharField(max_length=64, help_text=_("The SHA-256 of its events' signatures."))
    digest = models.CharField(max_length=64, help_text=_("Of all this, with the audit key."))

    class Meta:
        verbose_name = _("audit seal")
        indexes = [models.Index(fields=["last_id"], name="seal_by_last_event")]

    def __str__(self) -> str:
        return f"seal {self.number}"
