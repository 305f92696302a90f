"""What administrators have decided for the whole portal."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited


class Policy(Audited):
    """The one row of settings that are changed on a page. It is made from those of the environment."""

    SETTINGS: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"running_per_person": "PORTAL_RUNNING_PER_PERSON", "running": "PORTAL_RUNNING"}
    )
    AUDITED = tuple(SETTINGS)

    running_per_person = models.PositiveIntegerField(help_text=_("Workstations that a person may have; 0: no limit."))
    running = models.PositiveIntegerField(help_text=_("Workstations that the team may have; 0: no limit."))

    class Meta:
        constraints = [models.CheckConstraint(name="policy_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return "of the portal"

    @classmethod
    def read_defaults(cls) -> dict[str, int]:
        return {column: getattr(settings, name) for column, name in cls.SETTINGS.items()}
