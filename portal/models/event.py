"""The audit record: who did what to what, when."""

from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.clock import Now


class EventQuerySet(models.QuerySet["Event"]):
    """Events are read and added, nothing else."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("events are never changed")

    def delete(self) -> NoReturn:
        raise TypeError("events are never deleted")


class Event(models.Model):
    """One line of the record, written in the transaction that it tells of. No foreign keys: it outlives all others."""

    at = models.DateTimeField(db_default=Now())
    actor_id = models.BigIntegerField(null=True, blank=True, help_text=_("Empty: the portal itself."))
    actor_name = models.CharField(max_length=150, blank=True)
    address = models.CharField(max_length=45, blank=True, help_text=_("Where the actor's HTTP request came from."))
    verb = models.CharField(max_length=32)
    target = models.CharField(max_length=300, help_text=_("Kind and name of what it was done to."))
    request_number = models.BigIntegerField(null=True, blank=True, help_text=_("The request that it belongs to."))
    detail = models.JSONField(default=dict, blank=True)
    reason = models.TextField(blank=True)
    http_request = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text=_("Id of the HTTP request that did it: all that one click did has the same. Empty: no page did it."),
    )
    row_digests = models.TextField(
        blank=True, db_default="", help_text=_("Of the rows that it changed, as they were then, with the audit key.")
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(F("request_number"), F("id"), name="event_of_request"),
            models.Index(F("verb"), F("id").desc(), name="event_by_verb"),
            models.Index(F("verb"), F("id").desc(), name="event_of_people", condition=Q(actor_id__isnull=False)),
            models.Index(F("verb"), F("id").desc(), name="event_of_portal", condition=Q(actor_id=None)),
            models.Index(F("actor_name"), F("id").desc(), name="event_by_actor"),
            models.Index(F("target"), F("id").desc(), name="event_by_target"),
            # The reason too: to look through them all is then to read this index alone. Forms take 500 characters.
            models.Index(F("id"), F("reason"), name="event_with_reason", condition=~Q(reason="")),
            models.Index(
                F("http_request"), F("id").desc(), name="event_by_http_request", condition=~Q(http_request="")
            ),
            models.Index(F("id"), name="event_of_rows", condition=Q(request_number=None) & ~Q(row_digests="")),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.actor_name or 'portal'} {self.verb} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("events are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("events are never deleted")
