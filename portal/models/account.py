"""The account at the provider, and the state of its key."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from portal import failures


class Account(models.Model):
    """Whose workstations a key reaches. Rows of one account are never sent, refreshed or settled with another's key."""

    base_url = models.URLField(max_length=500, unique=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.base_url


class Key(models.Model):
    """The state of an account's key. Its row is the lock under which requests are claimed: exact caps, one order."""

    class State(models.TextChoices):
        OPEN = "OPEN", "Open"
        HELD = "HELD", "Held"

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="key")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    cause = models.CharField(max_length=32, blank=True, help_text="Code of the failure that holds the key.")
    held_at = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until an operator resumes the key.")
    # How long the queue has stood still in all, in seconds: time under a hold does not count as waiting.
    held_seconds = models.FloatField(default=0)

    class Meta:
        permissions = [("resume_key", "Can resume the key after a hold")]
        constraints = [
            models.CheckConstraint(
                name="key_hold_has_cause_and_start",
                condition=Q(state="OPEN", cause="", held_at=None, held_until=None)
                | (Q(state="HELD", held_at__isnull=False) & ~Q(cause="")),
            )
        ]

    def __str__(self) -> str:
        return f"key of {self.account.base_url}"

    @property
    def is_held(self) -> bool:
        return self.state == self.State.HELD

    @property
    def needs_operator(self) -> bool:
        """Whether only an operator can end the hold."""
        return self.is_held and self.held_until is None

    @property
    def failure(self) -> failures.Failure | None:
        """The catalogue's row for the cause of the hold."""
        return failures.CATALOGUE.get(self.cause)
