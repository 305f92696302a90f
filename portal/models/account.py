"""The account at the provider, the state of its key, and the credentials with which processes come."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures
from portal.models.audited import Audited
from portal.models.clock import Now


def make_salt() -> str:
    """Random, so that no table made elsewhere names a key by its fingerprint."""
    return secrets.token_hex(16)


class Account(Audited):
    """Whose workstations a key reaches. Rows of one account are never sent, refreshed or settled with another's key."""

    AUDITED = ("base_url", "created_at", "retired_at", "baseline_scan")

    class BaselineScan(models.TextChoices):
        """What became of the first scan, which marks what was there before us. Nothing is sent while it is WANTED."""

        WANTED = "WANTED", _("Not yet")
        BEGUN = "BEGUN", _("Under way")
        DONE = "DONE", _("Done")
        FAILED = "FAILED", _("The lists could not be read")

    base_url = models.URLField(max_length=500)
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True, help_text=_("When an operator said that the key is another's."))
    baseline_scan = models.CharField(max_length=8, choices=BaselineScan, default=BaselineScan.WANTED)
    salt = models.CharField(max_length=32, default=make_salt, help_text=_("Of the fingerprints of its keys."))

    shared_at = models.DateTimeField(
        null=True,
        help_text=_("When a workstation was first seen that no attempt explains: the key is used elsewhere, too."),
    )
    unshared_tick = models.PositiveBigIntegerField(
        default=0,
        help_text=_("The key's tick when an operator said that nobody else uses it: what was listed is known."),
    )
    started_offset = models.FloatField(
        null=True, help_text=_("Seconds by which startedAt is ahead, by the responses to requests.")
    )
    longest_lag = models.FloatField(
        default=0, help_text=_("Seconds for which the lists lacked a workstation that lived, at most, of late.")
    )
    longest_lag_at = models.DateTimeField(null=True)
    lag_tick = models.PositiveBigIntegerField(default=0, help_text=_("Up to which tick the lag has been measured."))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["base_url"], name="account_current_once", condition=Q(retired_at=None))
        ]

    def __str__(self) -> str:
        until = f" until {self.retired_at:%Y-%m-%d %H:%M:%S.%f}" if self.retired_at else ""
        return f"{self.base_url}{until}"


# Causes of a pause that are questions to operators. It ends with their answer alone, nobody can just resume the key.
NEW_KEY = "new-key"  # no worker has a key that was confirmed: is the present one of the same account?
DATABASE_MOVED = "database-moved"  # another place, or an earlier state: was it moved, or put back from a backup?
_QUESTIONS = {
    NEW_KEY: (
        _("A different API key or base URL has been set"),
        _("%(operator)s has confirmed which account the new key belongs to"),
    ),
    DATABASE_MOVED: (
        _("The database is not where or what it was"),
        _("%(operator)s has said whether it was moved or restored"),
    ),
}


class Key(Audited):
    """The state of an account's key. Its row is the lock under which requests are claimed: exact caps, one order."""

    AUDITED = ("account_id", "state", "cause", "paused_at", "paused_until", "operator_only", "pause_ended_at")

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", _("Operational")
        PAUSED = "PAUSED", _("Paused")
        RESUMING = "RESUMING", _("Resuming, one attempt at a time")

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="key")
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    cause = models.CharField(max_length=32, help_text=_("Code of the failure that pauses the key."))
    paused_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True, help_text=_("Empty: until an operator or a probe ends it."))
    pause_seconds = models.FloatField(default=0, help_text=_("How long the pause lasts, where it has an end."))
    operator_only = models.BooleanField(default=False, help_text=_("No time and no probe ends this pause."))
    pause_ended_at = models.DateTimeField(null=True)
    # How long the queue has stood still in all, in seconds: time under a pause does not count as waiting.
    paused_seconds = models.FloatField(default=0)
    consecutive_failures = models.PositiveIntegerField(
        default=0, help_text=_("Of those that pause the key when several come.")
    )
    consecutive_pauses = models.PositiveIntegerField(default=0, help_text=_("Timed pauses since the last success."))
    probes = models.PositiveIntegerField(default=0, help_text=_("Probes made in this pause."))
    probe_at = models.DateTimeField(null=True, help_text=_("When the next probe is due."))
    resumed_by_probe = models.BooleanField(default=False)
    tick = models.PositiveBigIntegerField(
        default=0,
        help_text=_("Raised by each claim, recorded end, end of a pause and scan: it orders them, no clock does."),
    )
    resumed_tick = models.PositiveBigIntegerField(
        default=0, help_text=_("The tick at which the last pause ended. Attempts claimed before do not count.")
    )

    class Meta:
        permissions = [("resume_key", "Can resume the key after a pause")]
        constraints = [
            models.CheckConstraint(
                name="key_pause_has_cause_and_start",
                condition=Q(state="ACTIVE", cause="", paused_at=None, paused_until=None)
                | (Q(state="RESUMING", paused_at=None, paused_until=None) & ~Q(cause=""))
                | (Q(state="PAUSED", paused_at__isnull=False) & ~Q(cause="")),
            )
        ]

    def __str__(self) -> str:
        return f"key of {self.account}"

    @property
    def is_paused(self) -> bool:
        """Whether nothing is sent."""
        return self.state == self.State.PAUSED

    @property
    def is_resuming(self) -> bool:
        """Whether one request is tried before all others."""
        return self.state == self.State.RESUMING

    @property
    def asks_for_account(self) -> bool:
        """Whether an operator has to say which account a new key reaches."""
        return self.is_paused and self.cause == NEW_KEY

    @property
    def asks_operator(self) -> bool:
        """Whether the pause ends by an operator's answer."""
        return self.is_paused and self.cause in _QUESTIONS

    @property
    def failure(self) -> failures.Failure | None:
        """The row of the failure catalogue that explains the pause; None for a question."""
        return failures.CATALOGUE.get(self.cause)

    @property
    def cause_title(self) -> str:
        """The cause in a few words."""
        return str(self.failure.title if self.failure else _QUESTIONS.get(self.cause, (self.cause,))[0])

    @property
    def cause_clause(self) -> str:
        """The cause as part of a sentence."""
        return failures.make_clause(self.cause_title)

    def describe_end(self, operator: str = "") -> str:
        """Who or what ends the pause, after 'until', with what operators are called."""
        if self.paused_until is not None:
            return gettext("its time has passed")
        if self.asks_operator:
            words = _QUESTIONS[self.cause][1]
        elif self.operator_only:
            words = _("%(operator)s resumes sending")
        else:
            words = _("%(operator)s resumes sending, or AgentStation accepts the key again")
        return words % {"operator": operator or gettext("an operator")}


class CredentialQuerySet(models.QuerySet["Credential"]):
    def accepted(self) -> "CredentialQuerySet":
        """Those that an operator confirmed, and the first of an account."""
        return self.filter(accepted_at__isnull=False)

    def asked(self) -> "CredentialQuerySet":
        """Those that no operator has accepted yet."""
        return self.filter(accepted_at=None)


class Credential(Audited):
    """A base URL and an API key that some process uses. Nothing is sent with it before it is accepted."""

    AUDITED = ("account_id", "fingerprint", "base_url", "is_sandbox", "asked_at", "accepted_at", "accepted_by_id")
    BEGINS = True

    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="credentials",
        help_text=_("The account that it reaches, or of which it is asked."),
    )
    fingerprint = models.CharField(max_length=16, help_text=_("Of base URL and key; reveals nothing of them."))
    base_url = models.URLField(max_length=500)
    is_sandbox = models.BooleanField(default=False, help_text=_("It reaches our imitation of AgentStation."))
    asked_at = models.DateTimeField(db_default=Now(), help_text=_("When a process first came with it."))
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("Empty: it was the account's first."),
    )
    seen_at = models.DateTimeField(null=True, help_text=_("When a worker last showed that it has it."))
    seen_on = models.CharField(max_length=200, help_text=_("That worker."))

    objects = CredentialQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "fingerprint"], name="credential_once"),
            models.CheckConstraint(
                name="credential_accepted_by_with_time", condition=Q(accepted_by=None) | Q(accepted_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint} of {self.account}"
