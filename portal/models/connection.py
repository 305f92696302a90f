"""Connections: open ways into a workstation."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.models.clock import Now
from portal.models.workstation import Workstation


class _Opened(models.Manager["Connection"]):
    """Connections. What the provider is being asked to open, or did not open, is none."""

    def get_queryset(self) -> models.QuerySet["Connection"]:
        return super().get_queryset().filter(is_opening=False)


class Connection(models.Model):
    """A way into a workstation that somebody opened. Its address is a secret, and is kept nowhere.

    The row is there before the provider is asked: `is_opening` until there is an address; ended without one, it failed.

    The audit log has its beginning and its end; the row lasts as long as the workstation's. `is_view_only`: its page
    sends no input; the address itself would let whoever has it work.
    """

    class Kind(models.TextChoices):
        """What it leads to. Its values are the keys of `agentstation.CONNECTIONS`."""

        DESKTOP = "desktop", _("Desktop")
        TERMINAL = "terminal", _("Terminal")
        LOG = "log", _("Live log")
        VNC = "vnc", _("VNC address")
        CDP = "cdp", _("Browser address")

    # A page of the portal holds these open, and says so; of the others only the address is known to have been shown.
    HELD = (Kind.DESKTOP, Kind.TERMINAL, Kind.LOG)

    workstation = models.ForeignKey(Workstation, on_delete=models.CASCADE, related_name="connections")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    is_view_only = models.BooleanField(default=False)
    reason = models.TextField(blank=True, help_text=_("Why somebody else than its owner opened it."))
    opened_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), help_text=_("When its page last said that it is open."))
    ended_at = models.DateTimeField(null=True, blank=True)
    is_opening = models.BooleanField(default=False)

    objects = _Opened()
    calls = models.Manager["Connection"]()

    class Meta:
        indexes = [
            models.Index(F("seen_at"), name="connection_open", condition=Q(ended_at=None)),
            models.Index(F("opened_at"), name="connection_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def length(self) -> timedelta | None:
        """How long it was open; None while it is."""
        return self.ended_at - self.opened_at if self.ended_at else None
