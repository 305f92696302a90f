"""The verification of the audit log: the last one, and whether somebody has asked for the next."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class LogCheck(models.Model):
    """The one row of it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    asked_at = models.DateTimeField(null=True, help_text=_("Of a check that has not ended yet."))
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    begun_at = models.DateTimeField(null=True, help_text=_("Of the check under way, or of the last."))
    ended_at = models.DateTimeField(null=True, help_text=_("Of the last check that came to its end."))
    counts = models.JSONField(default=dict, help_text=_("What the last check verified, and how much it found."))
    findings = models.JSONField(default=list, help_text=_("The first things it found, as sentences."))

    class Meta:
        constraints = [
            models.CheckConstraint(name="log_check_is_one", condition=Q(id=1)),
            models.CheckConstraint(
                name="log_check_asked_by_somebody",
                condition=Q(asked_at=None, asked_by=None) | Q(asked_at__isnull=False, asked_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return "log check"

    @property
    def found(self) -> int:
        """How many findings the last check has; more than are kept, perhaps."""
        return int(self.counts.get("findings", 0))

    @property
    def is_under_way(self) -> bool:
        """Whether a check has begun that has not ended; its worker may have stopped."""
        return self.begun_at is not None and (self.ended_at is None or self.ended_at < self.begun_at)
