"""What the provider has: workstations, workspaces, files and logs; and who was let into a workstation."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns, filters, readonly

_SEEN = ("first_seen_at", filters.TimeFilter)


@admin.register(models.Workstation)
class WorkstationAdmin(readonly.ReadOnlyAdmin):
    list_display = (
        "__str__",
        "first_seen_at",
        "request",
        "request__requester",
        "type",
        "last_status",
        "workspace",
        "ended_at",
    )
    list_select_related = ("request__requester", "workspace")
    list_filter = (
        filters.WORKSTATION_STATUS,
        filters.TYPE,
        filters.LIFE,
        filters.OWNED,
        _SEEN,
        filters.WORKSPACE,
        filters.ACCOUNT,
    )
    search_fields = ("request__search_entry__words",)
    search_help_text = _(
        "R-1042 finds by the request's number, a user name by its owner, an ID as it is written. Other words find the "
        "workstations of the requests that have them."
    )
    number_lookup = "request"
    person_lookup = "request__requester"
    name_lookups = ("uid",)
    fields = (
        "uid",
        ("request", "request__requester", "made_for"),
        ("workspace", "account"),
        ("type", "status"),
        ("created_at", "first_seen_at", "ended_at"),
        ("refreshed_at", "refresh_due_at", "missing_since"),
        ("ends_at", "end_set_at", "end_warnings"),
        ("end_is_idle", "planned_end_at"),
        ("release_requested_at", "release_requested_by"),
        ("release_due_at", "release_tries", "release_failure"),
        "raw",
    )

    @admin.display(description=_("status"))
    def last_status(self, row: models.Workstation) -> failures.Words:
        """AgentStation's last word, which for what was released or not found is that it is active."""
        is_said = row.is_live or row.status in row.ENDED_STATUSES
        return columns.shorten(row.status) if is_said else _("ended")


@admin.register(models.Workspace)
class WorkspaceAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "first_seen_at", "owner", "status", "account")
    list_select_related = ("owner", "account")
    list_filter = (filters.WORKSPACE_STATUS, _SEEN, filters.OWNER, filters.ACCOUNT)
    search_fields = ("uid",)
    search_help_text = _("R-1042 finds by a request's number, a user name by its owner, an ID as it is written.")
    number_lookup = "workstations__request"
    person_lookup = "owner"
    name_lookups = ("uid",)
    fields = ("uid", "owner", ("status", "account"), ("created_at", "first_seen_at"), "raw")
    linked_lists = dict.fromkeys((models.Workstation, models.File, models.Log), "workspace")
    events_by = {"workspace": "{0.pk}"}

    def find_number(self, rows: QuerySet[models.Workspace], number: int) -> QuerySet[models.Workspace]:
        used = models.Workstation.objects.filter(request_id=number).values("workspace_id")
        asked = models.Request.objects.filter(pk=number).values("workspace_uid")
        return rows.filter(Q(pk__in=used) | Q(uid__in=asked))

    def search_text(self, rows: QuerySet[models.Workspace], word: str) -> QuerySet[models.Workspace]:
        return rows.none()


class _ContentAdmin(readonly.ReadOnlyAdmin):
    """What lies in a workspace. Addresses are for the owner of the workspace alone, who sees them in the portal."""

    list_select_related = ("workspace__owner",)
    search_help_text = _("A user name finds by the workspace's owner; an ID, name or type as it is written.")
    person_lookup = "workspace__owner"
    name_lookups = ("uid", "workspace__uid")
    exclude = ("url",)
    events_by = {"workspace": "{0.workspace_id}"}  # of theirs: the provider puts them there without a word

    def search_text(self, rows: QuerySet[Any], word: str) -> QuerySet[Any]:
        return filters.filter_value(rows, field=self.search_fields[0], value=word)


@admin.register(models.File)
class FileAdmin(_ContentAdmin):
    list_display = ("__str__", "name", "workspace", "workspace__owner", "size", "created_at")
    list_filter = (_SEEN, filters.WORKSPACE)
    search_fields = ("name",)


@admin.register(models.Log)
class LogAdmin(_ContentAdmin):
    list_display = ("__str__", "type", "level", "workspace", "workspace__owner", "created_at")
    list_filter = (filters.LEVEL, _SEEN, filters.WORKSPACE)
    search_fields = ("type",)


class _OfWorkstations(readonly.ReadOnlyAdmin):
    """Rows that let a person into a workstation: found by it, by its owner, by the person, and by the request."""

    list_select_related = ("workstation__request__requester", "person")
    search_fields = ("workstation__uid", "workstation__request__requester__username", "person__username")
    number_lookup = "workstation__request"


@admin.register(models.Connection)
class ConnectionAdmin(_OfWorkstations):
    list_display = (
        "__str__",
        "workstation",
        "workstation__request__requester",
        "person",
        "kind",
        "opened_at",
        "ended_at",
    )
    list_filter = ("kind",)
    exclude = ("is_opening",)


@admin.register(models.Share)
class ShareAdmin(_OfWorkstations):
    list_display = (
        "__str__",
        "workstation",
        "workstation__request__requester",
        "person",
        "level",
        "created_at",
        "until",
        "ended_at",
    )
    list_filter = ("level",)
