"""Counts of finished days, so that a year of usage is read quickly."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class DailyCount(models.Model):
    """What was requested on one day, all of whose requests have ended: by one person, or (no person) by everybody.

    Unless it is final it can be deleted, and is counted anew.
    """

    day = models.DateField(help_text="A day of the site's zone; requests belong to the day on which they were made.")
    zone = models.CharField(max_length=64, help_text="The site's zone when the day was counted.")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    counts = models.JSONField(default=dict, help_text="For each kind (status, type, ...) how many of each value.")
    is_final = models.BooleanField(
        default=False, help_text="Some of its requests were pruned: it is never counted again, in whatever zone."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "day"], name="daily_count_once_a_person"),
            models.UniqueConstraint(fields=["day"], name="daily_count_once", condition=Q(person=None)),
        ]

    def __str__(self) -> str:
        return f"{self.day}, {f'person {self.person_id}' if self.person_id else 'everybody'}"
