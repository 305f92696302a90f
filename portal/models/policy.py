"""What administrators have decided for the whole portal."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.lifetime import UNENDING, read_lifetime


class Policy(Audited):
    """The one row of settings that are changed on a page. It is made from those of the environment."""

    SETTINGS: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "lifetimes": "PORTAL_LIFETIMES",
            "lifetime": "PORTAL_LIFETIME",
            "idle_hours": "PORTAL_IDLE_HOURS",
            "running_per_person": "PORTAL_RUNNING_PER_PERSON",
            "running": "PORTAL_RUNNING",
            "second_factor": "PORTAL_SECOND_FACTOR",
            "unmailed": "PORTAL_NOT_MAILED",
            "unsent": "PORTAL_NOT_TO_CHANNELS",
        }
    )
    AUDITED = tuple(SETTINGS)

    class SecondFactor(models.TextChoices):
        OPTIONAL = "optional", _("Nobody must have one")
        OPERATORS = "operators", _("Who sees everything or administers")
        EVERYBODY = "everybody", _("Everybody")

    lifetimes = models.CharField(
        max_length=200, help_text=_("How long workstations may live, as the form offers it: such as 2h 8h none.")
    )
    lifetime = models.CharField(max_length=6, help_text=_("The one of them that is chosen at first."))
    idle_hours = models.PositiveIntegerField(
        help_text=_("Hours after which one that nobody uses is released; 0: never.")
    )
    running_per_person = models.PositiveIntegerField(help_text=_("Workstations that a person may have; 0: no limit."))
    running = models.PositiveIntegerField(help_text=_("Workstations that the team may have; 0: no limit."))
    second_factor = models.CharField(
        max_length=16, choices=SecondFactor, help_text=_("Who must have a second factor to sign in.")
    )

    unmailed = models.CharField(
        max_length=500, help_text=_("Kinds of notifications that are mailed to who wants them only.")
    )
    unsent = models.CharField(
        max_length=500, help_text=_("Kinds of notifications that the team's channels do not get.")
    )

    class Meta:
        constraints = [models.CheckConstraint(name="policy_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return "of the portal"

    @classmethod
    def read_defaults(cls) -> dict[str, Any]:
        return {column: getattr(settings, name) for column, name in cls.SETTINGS.items()}

    @property
    def longest(self) -> timedelta | None:
        """The longest life that may be chosen; None where one without an end may."""
        offered = self.lifetimes.split()
        if UNENDING in offered:
            return None
        return max(length for text in offered if (length := read_lifetime(text)) is not None)

    def allows(self, lifetime: str) -> bool:
        """Whether a workstation may live so long. Raises ValueError for what is no lifetime."""
        length, longest = read_lifetime(lifetime), self.longest
        return longest is None or (length is not None and length <= longest)
