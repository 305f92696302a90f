"""What belongs to the audit log beside its events: seals, tombstones, the last check, and how far it was sent away."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now


class Seal(models.Model):
    """All events from the end of the seal before it up to `last_id`, sealed with a key that the database doesn't know.

    docs/audit-log.md has its form.
    """

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


class Tombstone(Audited):
    """One batch that is pruned, named before it goes: the database lets nothing else be deleted from the audit log.

    With events go their seals, up to `seal_number`, whose digest the chain of seals goes on from.
    """

    AUDITED = ("made_at", "kind", "first_id", "last_id", "ids", "kept", "counts", "seal_number", "seal_digest")
    BEGINS = True

    class Kind(models.TextChoices):
        EVENTS = "EVENTS", "Events"
        REQUESTS = "REQUESTS", "Requests"
        WORKSTATIONS = "WORKSTATIONS", "Workstations"

    made_at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=12, choices=Kind)
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    ids = models.JSONField(default=list, help_text=_("Of each; of events as ranges."))
    kept = models.JSONField(default=list, help_text=_("Events of those seals that stay, as ranges."))
    counts = models.JSONField(default=dict, help_text=_("Rows by kind."))
    seal_number = models.BigIntegerField(default=0)
    seal_digest = models.CharField(max_length=64)
    signature = models.CharField(max_length=48, help_text=_("Of all this, with the audit key."))

    class Meta:
        verbose_name = _("deletion record")
        indexes = [models.Index(fields=["kind", "last_id"], name="tombstone_by_range")]

    def __str__(self) -> str:
        return f"deletion record {self.pk}"


class LogCheck(models.Model):
    """The one row with the last verification of the audit log, and whether somebody has asked for the next."""

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


class StreamPosition(models.Model):
    """The one row that says up to which event everything has left this machine, and people were told."""

    last_id = models.BigIntegerField(default=0, help_text=_("The newest event that is certain to have arrived."))
    place = models.CharField(max_length=300, help_text=_("Where the database is that is sent: a copy is elsewhere."))
    told_id = models.BigIntegerField(
        null=True, help_text=_("The event up to which people were told what concerns them.")
    )
    is_queue_slow = models.BooleanField(default=False, help_text=_("And they were told so."))

    class Meta:
        constraints = [models.CheckConstraint(name="stream_position_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return f"sent up to event {self.last_id}"
