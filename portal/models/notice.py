"""Notices: what the provider answers and its contract does not say."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now


class Notice(Audited):
    """One kind of difference from the contract, with the first example of it. Until somebody acknowledges it, it is
    shown to operators."""

    AUDITED = ("kind", "first_at", "acknowledged_at", "acknowledged_by_id")
    BEGINS = True

    kind = models.CharField(max_length=200, unique=True, help_text="What differs, such as workstation.type=quantum.")
    first_at = models.DateTimeField(db_default=Now())
    example = models.TextField(
        help_text="The first response that had it, shortened; addresses without what follows '?'."
    )
    numbers = models.JSONField(default=list, help_text="The first requests whose responses had it.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("API change")
        constraints = [
            models.CheckConstraint(
                name="notice_acknowledged_by_somebody",
                condition=Q(acknowledged_at=None, acknowledged_by=None)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
            )
        ]
        indexes = [models.Index(F("id"), name="notice_open", condition=Q(acknowledged_at=None))]

    def __str__(self) -> str:
        return self.kind
