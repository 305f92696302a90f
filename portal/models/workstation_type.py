"""The types of workstation that the provider offers, and those that it once offered."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models.account import Account
from portal.models.audited import Audited
from portal.models.clock import Now
from portal.models.request import LONGEST_TYPE, Request

_LABELS = dict(Request.Type.choices)


def label_type(name: str) -> str:
    """A type's name in words; one that is not documented as it is."""
    return str(_LABELS.get(name, name))


class WorkstationType(Audited):
    """A type as the provider's list last described it. Its row stays when it goes: requests of the past have it."""

    AUDITED = ("account_id", "name", "withdrawn_at")
    BEGINS = True

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="workstation_types")
    name = models.CharField(max_length=LONGEST_TYPE)
    description = models.TextField()
    hardware = models.JSONField(default=list)
    software = models.JSONField(default=list)
    ai_models = models.JSONField(_("AI models"), default=list)
    raw = models.TextField(help_text=_("As AgentStation's list described it."))
    first_listed_at = models.DateTimeField(db_default=Now())
    listed_at = models.DateTimeField(db_default=Now(), help_text=_("When AgentStation's list last had it."))
    withdrawn_at = models.DateTimeField(
        null=True, help_text=_("Since when it is not offered any more. Empty: it is offered.")
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="workstation_type_once"),
            models.CheckConstraint(name="workstation_type_has_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """Its name in words."""
        return label_type(self.name)

    @property
    def software_words(self) -> str:
        """Its software, with commas."""
        return ", ".join(self.software)
