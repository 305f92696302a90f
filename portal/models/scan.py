"""Scans: bounded readings of the provider's lists."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.account import Account


class Scan(models.Model):
    """One walk through the active list and then the history, over as many rounds as it takes.

    Its row says how far it has come, so that any worker can go on with it. One that ended early is kept too: what it
    showed is there, but only a complete one says what is not.
    """

    class Phase(models.TextChoices):
        ACTIVE = "ACTIVE", _("Reads the active list")
        HISTORY = "HISTORY", _("Reads the history")
        CHECK = "CHECK", _("Reads singly what the lists lack")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="scans")
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text=_("Empty: it goes on in the next round."))
    begun_tick = models.PositiveBigIntegerField(default=0, help_text=_("The key's tick when it began."))
    ended_tick = models.PositiveBigIntegerField(null=True, help_text=_("The key's tick when it ended."))
    is_complete = models.BooleanField(
        default=False, help_text=_("It came to its end and lacked nothing that had to be there.")
    )
    problem = models.CharField(max_length=200, help_text=_("Why it is not complete."))
    active_count = models.PositiveIntegerField(default=0)
    history_count = models.PositiveIntegerField(default=0)
    own_count = models.PositiveIntegerField(default=0, help_text=_("Workstations of requests that it showed."))
    witness_tick = models.PositiveBigIntegerField(
        default=0, help_text=_("The key's tick when the newest of these was claimed: nothing older can be missing yet.")
    )
    clock_offset = models.FloatField(
        null=True, help_text=_("Seconds by which AgentStation's clock, by its Date header, was ahead.")
    )
    new_count = models.PositiveIntegerField(default=0, help_text=_("Workstations that no scan had shown before."))
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.ACTIVE)
    cursor = models.TextField(help_text=_("Of the next page. Empty: the list's first."))
    earlier_cursor = models.TextField(help_text=_("One that was read before: it must not come again."))
    pages = models.PositiveIntegerField(default=0, help_text=_("Pages read."))
    list_pages = models.PositiveIntegerField(default=0, help_text=_("Pages read of the list that it is in."))
    failures = models.PositiveSmallIntegerField(default=0, help_text=_("Calls for the next page that failed."))
    page_size = models.PositiveSmallIntegerField(default=100, help_text=_("Entries asked for in a page."))
    back_to = models.DateTimeField(
        null=True, help_text=_("It reads the history until all of a page started before this.")
    )
    back_to_uid = models.TextField(help_text=_("It reads the history until it has met this workstation."))
    is_evidence = models.BooleanField(default=False, help_text=_("An event names it, so that it is kept."))
    reads_all = models.BooleanField(default=False, help_text=_("It reads the history to its end."))
    wait_until = models.DateTimeField(null=True, help_text=_("AgentStation asked it to wait until then."))
    paid_until = models.DateTimeField(
        null=True, help_text=_("The time for which its share of the calls a minute is used up.")
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account"], name="scan_one_open", condition=Q(ended_at=None)),
            models.CheckConstraint(
                name="scan_complete_has_ended", condition=Q(is_complete=False) | Q(ended_at__isnull=False, problem="")
            ),
        ]
        indexes = [models.Index(F("account"), F("id").desc(), name="scan_by_account")]

    def __str__(self) -> str:
        return f"scan {self.pk}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended, complete or not."""
        return self.ended_at is not None
