"""The attempts made for a request, and what was answered."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal import failures
from portal.models.audited import Audited
from portal.models.clock import Now
from portal.models.request import Request


class ProviderResponse(Audited):
    """A response as it came: `response` has the bytes; in `error` and `message` what a database refuses is escaped."""

    PRIVATE = frozenset({"error", "message", "response"})
    COLUMNS = ("outcome", "failure", "http_status", "error", "message", "response")

    http_status = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(help_text=_("AgentStation's own word for the error."))
    message = models.TextField(help_text=_("AgentStation's own sentence."))
    response = models.BinaryField(null=True, help_text=_("The response's body, at most its first 1 MiB."))

    class Meta:
        abstract = True

    @property
    def words(self) -> str:
        """The provider's own words, once where its sentence begins with its word for the error."""
        if self.message.startswith(self.error):
            return self.message
        return ": ".join(text for text in (self.error, self.message) if text)


class Attempt(ProviderResponse):
    """One POST made for a request. Written before anything is sent: it shows calls that nobody came back from."""

    AUDITED = (
        *("request_id", "number", "worker", "claimed_at", "deadline_at", "ended_at", "key_fingerprint", "retry_after"),
        *ProviderResponse.COLUMNS,
    )
    BEGINS = True

    class Outcome(models.TextChoices):
        SENDING = "SENDING", _("Under way")
        SUCCEEDED = "SUCCEEDED", _("Succeeded")
        FAILED = "FAILED", _("Failed")
        UNKNOWN = "UNKNOWN", _("Checking")
        NOT_SENT = "NOT_SENT", _("Not sent")

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField(help_text=_("1 for the request's first attempt."))
    worker = models.CharField(max_length=200, help_text=_("Machine and process that made it."))
    token = models.CharField(
        max_length=32, help_text=_("Random: distinguishes this attempt from another that was given its id.")
    )
    claimed_at = models.DateTimeField(db_default=Now())
    claimed_tick = models.PositiveBigIntegerField(default=0, help_text=_("The key's tick when it was claimed."))
    ended_tick = models.PositiveBigIntegerField(null=True, help_text=_("The key's tick when its end was recorded."))
    deadline_at = models.DateTimeField(help_text=_("From then on the outcome is unknown, unless it was recorded."))
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.SENDING)
    failure = models.CharField(max_length=32)
    key_fingerprint = models.CharField(max_length=16, help_text=_("Of the key that it used."))
    names_taken = models.BooleanField(
        default=False,
        help_text=_(
            "The response named another request's workstation, or an older one, and an operator has to decide."
        ),
    )
    retry_after = models.FloatField(null=True, help_text=_("Seconds, as AgentStation asked."))

    # Where it was locked to record what came:
    now: datetime  # by the database
    stored_workstation: int | None  # the ids of what is stored already of the workstation that came
    stored_workspace: int | None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "number"], name="attempt_number_once"),
            models.UniqueConstraint(fields=["request"], name="attempt_one_under_way", condition=Q(outcome="SENDING")),
            models.CheckConstraint(
                name="attempt_ended_where_outcome",
                condition=Q(outcome="SENDING", ended_at=None) | (~Q(outcome="SENDING") & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="attempt_failure_where_failed",
                condition=(Q(outcome__in=["FAILED", "UNKNOWN"]) & ~Q(failure=""))
                | (~Q(outcome__in=["FAILED", "UNKNOWN"]) & Q(failure="")),
            ),
        ]
        indexes = [
            models.Index(F("deadline_at"), name="attempt_under_way", condition=Q(outcome="SENDING")),
            models.Index(F("claimed_at"), name="attempt_by_time"),
            # Without a condition: SQLite would not see that a failure given as a parameter fulfils it.
            models.Index(F("failure"), F("ended_at"), name="attempt_failed_lately"),
            models.Index(F("key_fingerprint"), F("id").desc(), name="attempt_by_key"),
            models.Index(F("outcome"), F("id").desc(), name="attempt_by_outcome"),
            models.Index(F("failure"), F("id").desc(), name="attempt_by_failure"),
            models.Index(F("outcome"), F("failure"), F("id").desc(), name="attempt_by_both"),
        ]

    def __str__(self) -> str:
        return f"R-{self.request_id}, attempt {self.number}"

    @property
    def failure_row(self) -> failures.Failure | None:
        """The row of the failure catalogue; None where it did not fail."""
        return failures.CATALOGUE.get(self.failure)


class UnawaitedResponse(ProviderResponse):
    """A response that no attempt waits for any more. Never dropped: it may name a workstation that costs money."""

    BEGINS = True

    came_at = models.DateTimeField(db_default=Now())
    outcome = models.CharField(max_length=16, choices=Attempt.Outcome)
    failure = models.CharField(max_length=32)

    class Meta:
        abstract = True


class LateResponse(UnawaitedResponse):
    AUDITED = ("attempt_id", "came_at", *ProviderResponse.COLUMNS)

    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="late_response")

    def __str__(self) -> str:
        return f"late response to {self.attempt}"
