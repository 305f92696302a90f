"""Tokens, with which people's programs come, and what a program finds that sends the same again."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now


class Token(Audited):
    """With it a program acts for a person, within its scopes and never beyond what the person may."""

    AUDITED = (
        *("person_id", "name", "scopes", "addresses", "token_hash", "created_at", "ends_at"),
        *("ended_at", "ended_by_id"),
    )
    PRIVATE = frozenset({"token_hash"})
    BEGINS = True

    class Scope(models.TextChoices):
        READ = "read", _("See workstations and requests")
        REQUEST = "request", _("Request and extend workstations")
        RELEASE = "release", _("Release workstations")
        OPEN = "open", _("Open connections to workstations")

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=60, help_text=_("What its owner calls it."))
    scopes = models.CharField(max_length=60, help_text=_("Their names, separated by spaces."))
    addresses = models.TextField(
        default="", db_default="", help_text=_("Networks from which it works, separated by spaces; empty: anywhere.")
    )
    token_hash = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the whole token."))
    created_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField(null=True, help_text=_("Empty: never by itself."))
    last_used_at = models.DateTimeField(null=True, help_text=_("To the minute."))
    ended_at = models.DateTimeField(null=True, help_text=_("When somebody ended it."))
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="token_ended_by_somebody",
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.name}"

    def works_from(self, address: str) -> bool:
        """Whether the address is in its networks, if it has any."""
        return not self.addresses or any(
            ip_address(address) in ip_network(network) for network in self.addresses.split() if address
        )

    @property
    def scope_labels(self) -> list[str]:
        """Its scopes in words."""
        return [str(self.Scope(name).label) for name in self.scopes.split() if name in self.Scope]


class Repetition(models.Model):
    """Which request a program finds again that sends the same POST once more.

    With an Idempotency-Key: until a day after its end. Without one: what the program has not been told the outcome of,
    until it is.
    """

    token = models.ForeignKey(Token, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=64, help_text=_("Digest of the person and the key; empty without one."))
    body = models.CharField(max_length=64, help_text=_("Digest of what was asked for."))
    submission = models.UUIDField(help_text=_("Of the request."))
    at = models.DateTimeField(db_default=Now())
    told_at = models.DateTimeField(null=True, help_text=_("Since when its outcome is being sent to a program."))

    is_settling = False  # whether its outcome is being told, which may be tried again

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="repetition_key_once", condition=~Q(key=""))]
        indexes = [
            models.Index(F("token"), F("body"), F("id"), name="repetition_owed", condition=Q(key="")),
            models.Index(F("at"), name="repetition_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.submission)
