"""The keys of the portal's processes, by their fingerprints: which are accepted, and which are asked about."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models.account import Account
from portal.models.audited import Audited
from portal.models.clock import Now


class CredentialQuerySet(models.QuerySet["Credential"]):
    def accepted(self) -> "CredentialQuerySet":
        """Those that an operator confirmed, and the first of an account."""
        return self.filter(accepted_at__isnull=False)

    def asked(self) -> "CredentialQuerySet":
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
