"""Notices: what the provider answers and its contract does not say."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now


class Notice(Audited):
    """One kind of difference from the contract, with the first example of it."""

    AUDITED = ("kind", "first_at")
    BEGINS = True

    kind = models.CharField(max_length=200, unique=True, help_text="What differs, such as workstation.type=quantum.")
    first_at = models.DateTimeField(db_default=Now())
    example = models.TextField(help_text="The first response that had it, shortened, without addresses and secrets.")
    numbers = models.JSONField(default=list, help_text="The first requests whose responses had it.")

    class Meta:
        verbose_name = _("API change")

    def __str__(self) -> str:
        return self.kind
