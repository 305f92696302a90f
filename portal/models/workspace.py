"""Mirrors of the provider's workspaces, with their files and logs."""

from django.conf import settings
from django.db import models
from django.db.models import CharField, F, Func
from django.utils.translation import gettext_lazy as _

from portal.models.account import Account
from portal.models.audited import Audited
from portal.models.clock import Now


class Beginning(Func):
    """The first LENGTH characters, for indexes: PostgreSQL refuses a row whose indexed text is long."""

    LENGTH = 40
    # Written out, as in the index.
    template = f"substr(%(expressions)s, 1, {LENGTH})"
    output_field = CharField()


class Mirror(Audited):
    """Something that the provider has. `raw` is its JSON as it came; what a column cannot hold is null beside it."""

    uid = models.CharField(max_length=200)
    created_at = models.DateTimeField(null=True, help_text=_("By AgentStation's clock."))
    first_seen_at = models.DateTimeField(db_default=Now())
    raw = models.TextField()

    class Meta:
        abstract = True


class Workspace(Mirror):
    """Where files stay. It belongs to whoever first used it here, unless several people were given it unasked."""

    AUDITED = ("account_id", "uid", "owner_id", "name")
    PRIVATE = frozenset({"name"})

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="workspaces")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="workspaces")
    name = models.CharField(
        max_length=60, help_text=_("What its owner calls it. Stays here; AgentStation does not see it.")
    )
    is_contested = models.BooleanField(
        default=False, help_text=_("Several people were given it unasked: only an operator gives it an owner.")
    )
    status = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "uid"], name="workspace_uid_once")]
        indexes = [
            models.Index(F("uid"), F("id").desc(), name="workspace_by_uid"),
            models.Index(F("owner"), F("id").desc(), name="workspace_by_owner"),
            models.Index(Beginning("status"), F("id").desc(), name="workspace_by_status"),
            models.Index(F("owner"), Beginning("status"), F("id").desc(), name="workspace_by_both"),
        ]

    def __str__(self) -> str:
        return self.uid


class File(Mirror):
    """A file in a workspace. Its URL comes from outside: a link only if it is http or https."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="files")
    name = models.TextField()
    url = models.TextField()
    size = models.BigIntegerField(null=True, help_text=_("Bytes."))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "uid"], name="file_uid_once")]
        indexes = [
            models.Index(F("uid"), F("id").desc(), name="file_by_uid"),
            models.Index(Beginning("name"), F("id").desc(), name="file_by_name"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id}/{self.uid}"


class Log(Mirror):
    """A log in a workspace: a type, a level, a time and perhaps a URL; the provider gives no message."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="logs")
    type = models.TextField()
    level = models.TextField()
    url = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "uid"], name="log_uid_once")]
        indexes = [
            models.Index(F("uid"), F("id").desc(), name="log_by_uid"),
            models.Index(Beginning("level"), F("id").desc(), name="log_by_level"),
            models.Index(Beginning("type"), F("id").desc(), name="log_by_type"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace_id}/{self.uid}"
