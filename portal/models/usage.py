"""Counts of finished days and months, so that a year of usage is read as quickly as a week of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class DailyCount(models.Model):
    """What was requested on one day: by one person, or (no person) by everybody. Written by `services.usage` alone.

    Only requests that had ended are counted; those that had not are named in `open_numbers`, to be looked at as they
    are when the page is read. Derived from the requests: unless it is final, it can be deleted, and is counted anew.
    """

    day = models.DateField(help_text="A day of the site's zone; requests belong to the day on which they were made.")
    zone = models.CharField(max_length=64, help_text="The site's zone when the day was counted.")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    counts = models.JSONField(default=dict, help_text="For each kind (status, type, ...) how many of each value.")
    open_numbers = models.JSONField(default=list, help_text="Requests that had not ended when the day was counted.")
    has_open = models.BooleanField(default=False)
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


class MonthlyCount(models.Model):
    """The sum of a month's daily counts: of one person, or (no person) of everybody. Written by `services.usage` alone.

    Made when all days of the month are counted and none of them has open requests: from then on nothing changes it.
    By the days alone a year's page works twice as long with a million requests on PostgreSQL as with a thousand, and
    1.6 times as long with a hundred thousand on SQLite; with the months 1.25 and 1.2 times. 1.5 is the goal.
    """

    month = models.DateField(help_text="Its first day.")
    zone = models.CharField(max_length=64, help_text="The site's zone when its days were summed up.")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    counts = models.JSONField(default=dict, help_text="As those of a day.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "month"], name="monthly_count_once_a_person"),
            models.UniqueConstraint(fields=["month"], name="monthly_count_once", condition=Q(person=None)),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}, {f'person {self.person_id}' if self.person_id else 'everybody'}"
