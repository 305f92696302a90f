"""Connections: open ways into a workstation; and whom its owner lets in, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.clock import Now
from portal.models.user import User
from portal.models.workstation import Workstation

_SCREEN, _BROWSERS = ("desktop", "vnc"), ("browser", "chrome", "chromium")
_IMAGES = {"img-src": [CSP.SELF, "data:"]}
# xterm.js writes its colours and sizes into elements of its own.
_STYLES = {"style-src": [CSP.SELF, CSP.NONCE], "style-src-attr": [CSP.UNSAFE_INLINE]}


@dataclass(frozen=True)
class Way:
    """What is particular to a kind of connection.

    `path`: the end of the call's path that opens it. `software`: it needs any of these of its type's; none: nothing.
    `is_held`: a page of the portal holds it open, whose template is called like the kind; of others only the address is
    shown. `is_for_looking`: also who may only look may open it. `is_minor`: it is left out where there is little room.
    `csp` and `uses_clipboard`: what its page allows browsers.
    """

    path: str
    software: tuple[str, ...] = ()
    is_held: bool = True
    is_url: bool = True
    is_for_looking: bool = False
    is_minor: bool = False
    csp: Mapping[str, Sequence[str]] = field(default_factory=dict)
    uses_clipboard: bool = True


def list_kinds() -> Any:
    """A function, so that another kind takes no migration."""
    return Connection.Kind.choices


class _Opened(models.Manager["Connection"]):
    """Connections. What the provider is being asked to open, or did not open, is none."""

    def get_queryset(self) -> models.QuerySet["Connection"]:
        return super().get_queryset().filter(is_opening=False)


class Connection(models.Model):
    """A way into a workstation that somebody opened. Its address is a secret, and is kept nowhere.

    The row is there before the provider is asked: `is_opening` until there is an address; ended without one, it failed.
    `is_view_only`: its page sends no input; the address itself would let whoever has it work. `by_program`: a program
    got the address, and no page says whether it is in use.
    """

    class Kind(models.TextChoices):
        DESKTOP = "desktop", Way("vncwss", software=_SCREEN, is_for_looking=True, csp=_IMAGES), _("Desktop")
        TERMINAL = "terminal", Way("sandbox/pty", software=("terminal", "ssh"), csp=_STYLES), _("Terminal")
        LOG = "log", Way("log/stream", is_for_looking=True, is_minor=True, uses_clipboard=False), _("Live log")
        VNC = "vnc", Way("vnc", software=_SCREEN, is_held=False, is_url=False), _("VNC address")
        CDP = "cdp", Way("browser/cdp", software=_BROWSERS, is_held=False), _("Browser address")

        way: Way

        def __new__(cls, value: str, way: Way) -> Self:
            member = str.__new__(cls, value)
            member._value_, member.way = value, way
            return member

        @classmethod
        def read(cls, value: str) -> Self:
            """The kind of this value. Raises StopIteration for another."""
            return next(kind for kind in cls if kind == value)

    PASSED_ON = "other"  # a program's call that the portal does not know: no connection, but counted with them
    HELD = tuple(kind for kind in Kind if kind.way.is_held)
    IS_HELD = Q(kind__in=HELD, by_program=False)

    workstation = models.ForeignKey(Workstation, on_delete=models.CASCADE, related_name="connections")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=list_kinds)
    is_view_only = models.BooleanField(default=False)
    reason = models.TextField(help_text=_("Why somebody else than its owner opened it."))
    opened_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), help_text=_("When its page last said that it is open."))
    ended_at = models.DateTimeField(null=True)
    is_opening = models.BooleanField(default=False)
    by_program = models.BooleanField(default=False, db_default=False)

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
    def is_held(self) -> bool:
        """Whether a page holds it open, and says so; of others only the address is known to have been shown."""
        return self.kind in self.HELD and not self.by_program

    @property
    def length(self) -> timedelta | None:
        """How long it was open; None while it is."""
        return self.ended_at - self.opened_at if self.ended_at else None


class ShareQuerySet(models.QuerySet["Share"]):
    def current(self) -> "ShareQuerySet":
        """Those that hold now, of workstations that live."""
        return self.filter(
            Q(until=None) | Q(until__gt=Now()), ended_at=None, workstation__in=Workstation.objects.live()
        )

    def of(self, person: User) -> "ShareQuerySet":
        """Those of this person that hold now."""
        return self.current().filter(person=person)


class Share(Audited):
    """A person whom the owner of a workstation lets look or work, for as long as it lives or until a time."""

    AUDITED = ("workstation_id", "person_id", "level", "until", "ended_at")
    BEGINS = True

    class Level(models.TextChoices):
        LOOK = "look", _("Look only")
        WORK = "work", _("Look and work")

    workstation = models.ForeignKey(Workstation, on_delete=models.PROTECT, related_name="shares")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="shares")
    level = models.CharField(max_length=8, choices=Level)
    created_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True, help_text=_("Empty: for as long as the workstation lives."))
    ended_at = models.DateTimeField(null=True, help_text=_("When it was taken back."))

    objects = ShareQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(F("workstation"), F("person"), name="share_once", condition=Q(ended_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.workstation} with {self.person}"

    @property
    def is_for_looking(self) -> bool:
        """Whether the person may look and not work."""
        return self.level == self.Level.LOOK
