"""Scans: bounded readings of the provider's lists."""

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from portal.models.account import Account
from portal.models.clock import Now


class Scan(models.Model):
    """One reading of the active list and then the history. One that failed half-way is kept, and proves nothing."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="scans")
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(db_default=Now())
    begun_tick = models.PositiveBigIntegerField(default=0, help_text=_("The key's tick when it began."))
    ended_tick = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("The key's tick when it was stored.")
    )
    is_whole = models.BooleanField()
    problem = models.CharField(max_length=200, blank=True)
    active_count = models.PositiveIntegerField(default=0)
    history_count = models.PositiveIntegerField(default=0)
    own_count = models.PositiveIntegerField(default=0, help_text=_("Workstations of requests that it showed."))
    clock_offset = models.FloatField(
        null=True, blank=True, help_text=_("Seconds by which the provider's clock, by its Date header, was ahead.")
    )
    new_count = models.PositiveIntegerField(default=0, help_text=_("Workstations that no scan had shown before."))

    class Meta:
        indexes = [models.Index(F("account"), F("id").desc(), name="scan_by_account")]

    def __str__(self) -> str:
        return f"scan {self.pk}"
