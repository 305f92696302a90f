"""The people who sign in, their browsers, and the links with which they come in without a password."""

from datetime import tzinfo
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models.audited import Audited
from portal.models.compiled import compiled

_REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def list_time_zones() -> list[str]:
    """The zones that people live in, by name, and UTC; not the aliases and fixed offsets that are kept for machines."""
    return ["UTC", *sorted(name for name in available_timezones() if name.partition("/")[0] in _REGIONS)]


class User(Audited, AbstractUser):
    """A person. People are deactivated, never deleted: their requests are kept.

    `is_service`: a service account, which is treated as a person, and never signs in; administrators make its tokens.
    """

    AUDITED = (
        *("username", "first_name", "last_name", "email", "password"),
        *("is_active", "is_staff", "is_superuser", "is_service", "time_zone", "running_limit"),
    )
    NAMES = ("username", "first_name", "last_name")  # of which `label` is made
    PRIVATE = frozenset({"first_name", "last_name", "email", "password"})

    is_service = models.BooleanField(default=False, db_default=False, editable=False)
    time_zone = models.CharField(max_length=64, blank=True, help_text=_("Of the times they see; empty: the portal's."))
    # The event of the newest release by others that they dismissed.
    last_read_release = models.BigIntegerField(default=0, db_default=0, editable=False)

    running_limit = models.PositiveIntegerField(
        null=True, editable=False, help_text=_("Workstations that they may have; empty: the portal's limit, 0: none.")
    )

    mail_choices = models.JSONField(default=dict, db_default={}, editable=False)  # by kind, where chosen

    # When they asked for a sign-in link by mail that no worker has sent yet.
    link_asked_at = models.DateTimeField(null=True, editable=False)

    _granted: frozenset[str] | None = None

    class Meta(AbstractUser.Meta):
        verbose_name = _("person")  # type: ignore[assignment]
        verbose_name_plural = _("people")  # type: ignore[assignment]
        permissions = [("see_all", "Can see everybody's requests and workstations")]
        constraints = [
            models.CheckConstraint(
                name="user_service_has_no_password",
                condition=models.Q(is_service=False)
                | models.Q(is_superuser=False, password__startswith=UNUSABLE_PASSWORD_PREFIX),
            )
        ]

    @property
    def label(self) -> str:
        """How others see the person: by name, and the username that is theirs alone."""
        name = self.get_full_name()
        return f"{name} ({self.username})" if name and name != self.username else self.username

    @property
    def zone(self) -> tzinfo:
        """The zone of the times that this person sees; the portal's where theirs is empty or not known here."""
        try:
            return ZoneInfo(self.time_zone) if self.time_zone else timezone.get_default_timezone()
        except (KeyError, ValueError, OSError):  # a name that is not known, no name at all, a folder of zones
            return timezone.get_default_timezone()

    def list_granted(self) -> frozenset[str]:
        """The names of the permissions that the person was given, alone and by groups: read once, in one query."""
        if self._granted is None:
            self._granted = frozenset(
                f"{app_label}.{codename}" for app_label, codename in _read_granted(user_id=self.pk)
            )
        return self._granted

    def has_perm(self, perm: str, obj: models.Model | None = None) -> bool:
        """Whether the person has a permission, as Django's own backend finds it with two queries; on no row alone."""
        return self.is_active and (self.is_superuser or (obj is None and perm in self.list_granted()))

    @property
    def sees_all(self) -> bool:
        """Whether they see what is others', as operators and auditors do."""
        return self.has_perm("portal.see_all")

    @property
    def decides(self) -> bool:
        """Whether they decide about what is others', as operators do, who give a reason."""
        return self.has_perm("portal.close_request")

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and (
            self.is_superuser or any(name.startswith(f"{app_label}.") for name in self.list_granted())
        )


@compiled(user_id=models.BigIntegerField())
def _read_granted(*, user_id: int) -> models.QuerySet[Permission, tuple[str, str]]:
    own = User.user_permissions.through._default_manager.filter(user=user_id).values("permission")
    groups = User.groups.through._default_manager.filter(user=user_id).values("group")
    of_groups = Group.permissions.through.objects.filter(group__in=groups).values("permission")
    # Every page asks this. PostgreSQL takes twice as long to plan a union of joins.
    given = Permission.objects.filter(models.Q(pk__in=own) | models.Q(pk__in=of_groups))
    return given.order_by().values_list("content_type__app_label", "codename")


class Session(AbstractBaseSession):
    """A browser in which somebody is signed in. Its key is kept hashed: who reads the table cannot sign in with it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="sessions")
    address = models.CharField(max_length=45)
    browser = models.CharField(max_length=200, help_text="What the browser says of itself.")
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_module(settings.SESSION_ENGINE).SessionStore


class SignInLink(models.Model):
    """A one-time link with which a person chooses a password; without a person, that of the first administrator.

    Only the hash of its token is kept; a newer link replaces it.
    """

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="sign_in_link"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"sign-in link of {self.person or 'the first administrator'}"
