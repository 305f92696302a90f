"""What administrators have decided for the whole portal."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.lifetime import UNENDING, read_lifetime


class Policy(Audited):
    """The one row of settings that are changed on a page. A new portal begins with the defaults."""

    AUDITED = (
        *("lifetimes", "lifetime", "idle_hours", "running_per_person", "running", "second_factor"),
        *("unmailed", "unsent", "support_contact", "passes_on"),
    )

    class SecondFactor(models.TextChoices):
        OPTIONAL = "optional", _("Nobody must have one")
        OPERATORS = "operators", _("Who sees everything or administers")
        EVERYBODY = "everybody", _("Everybody")

    lifetimes = models.CharField(
        max_length=200,
        default="2h 8h 24h 7d none",
        help_text=_("How long workstations may live, as the form offers it: such as 2h 8h none."),
    )
    lifetime = models.CharField(max_length=6, default="8h", help_text=_("The one of them that is chosen at first."))
    idle_hours = models.PositiveIntegerField(
        default=0, help_text=_("Hours after which one that nobody uses is released; 0: never.")
    )
    running_per_person = models.PositiveIntegerField(
        default=0, help_text=_("Workstations that a person may have; 0: no limit.")
    )
    running = models.PositiveIntegerField(default=0, help_text=_("Workstations that the team may have; 0: no limit."))
    second_factor = models.CharField(
        max_length=16,
        choices=SecondFactor,
        default=SecondFactor.OPTIONAL,
        help_text=_("Who must have a second factor to sign in."),
    )

    unmailed = models.CharField(
        max_length=500,
        default="unassigned",
        help_text=_("Kinds of notifications that are mailed to who wants them only."),
    )
    unsent = models.CharField(
        max_length=500, default="", help_text=_("Kinds of notifications that the team's channels do not get.")
    )
    support_contact = models.CharField(max_length=200, default="", help_text=_("Whom people turn to, in words."))
    passes_on = models.BooleanField(
        default=False, help_text=_("Whether programs' calls that the portal does not know go on to AgentStation.")
    )

    class Meta:
        constraints = [models.CheckConstraint(name="policy_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return "of the portal"

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
