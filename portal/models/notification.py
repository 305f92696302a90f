"""Notifications: what people and the team's channels are told. Made from events, they are not audited themselves."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.clock import Now


class Notification(models.Model):
    """One message to a person or to one of the team's channels. Its text is made where it is read or sent."""

    # Without an index of its own: others begin with it.
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="notifications", db_index=False
    )
    channel = models.CharField(max_length=16, help_text=_("Fingerprint of the channel's URL; empty: for a person."))
    kind = models.CharField(max_length=24)
    cause = models.CharField(max_length=200, help_text=_("The same cause is told once in ten minutes."))
    request_number = models.BigIntegerField(null=True)
    workstation = models.CharField(max_length=200, help_text=_("As AgentStation names it."))
    values = models.JSONField(default=dict, help_text=_("What else the text is made of."))
    events = models.JSONField(default=list, help_text=_("The events that it stands for."))
    created_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)
    send_due_at = models.DateTimeField(null=True, help_text=_("Empty: nothing is to be sent."))
    send_tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=100, help_text=_("Why the last try to send it failed."))

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="notification_for_person_or_channel",
                condition=Q(person__isnull=False, channel="") | (Q(person=None) & ~Q(channel="")),
            ),
            models.CheckConstraint(
                name="notification_sent_is_not_due", condition=Q(sent_at=None) | Q(send_due_at=None, failure="")
            ),
            models.CheckConstraint(
                name="notification_read_by_person", condition=Q(read_at=None) | Q(person__isnull=False)
            ),
        ]
        indexes = [
            models.Index(F("person"), name="notification_unread", condition=Q(read_at=None, person__isnull=False)),
            models.Index(F("person"), F("id").desc(), name="notification_of_person"),
            models.Index(
                F("channel"), F("send_due_at"), name="notification_due", condition=Q(send_due_at__isnull=False)
            ),
            models.Index(F("created_at"), name="notification_by_time"),
        ]

    def __str__(self) -> str:
        return f"notification {self.pk}"
