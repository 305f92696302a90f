"""What the portal finds wrong with its audit log, and how far it has looked."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now


class LogCheck(models.Model):
    """How far the audit log has been checked: what is new each hour, all of it each night; and the newest checkpoint
    that was sent."""

    class What(models.TextChoices):
        NEW = "NEW", _("what is new")
        ALL = "ALL", _("all of it")
        SENT = "SENT", _("checkpoints")

    what = models.CharField(max_length=4, choices=What, primary_key=True)
    begun_at = models.DateTimeField(null=True, blank=True, help_text=_("Of the check under way, or of the last."))
    ended_at = models.DateTimeField(null=True, blank=True, help_text=_("Of the last check that came to its end."))
    phase = models.CharField(max_length=32, blank=True, help_text=_("Events, or a kind of row; empty: at its end."))
    position = models.BigIntegerField(default=0, help_text=_("The last event, seal or row that was checked."))
    rounds = models.PositiveBigIntegerField(default=0, help_text=_("How often this was written; never fewer."))
    signature = models.CharField(max_length=48, blank=True, help_text=_("Of all this, with the audit key."))

    def __str__(self) -> str:
        return self.get_what_display()


class Finding(Audited):
    """Something in the audit log, or a row, that is not as the portal has written it."""

    AUDITED = ("kind", "what", "words", "found_at", "acknowledged_at", "acknowledged_by_id")
    BEGINS = True

    kind = models.CharField(max_length=32)
    what = models.CharField(max_length=200)
    words = models.CharField(max_length=500)
    found_at = models.DateTimeField(db_default=Now())
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "what", "words"], name="finding_once"),
            models.CheckConstraint(
                name="finding_acknowledged_by_somebody",
                condition=Q(acknowledged_at=None, acknowledged_by=None)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
            ),
        ]
        indexes = [models.Index(F("id"), name="finding_open", condition=Q(acknowledged_at=None))]

    def __str__(self) -> str:
        return f"{self.what}: {self.kind}"
