"""What the provider has: workstations, workspaces, files and logs."""

from typing import Any, ClassVar

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns, filters, found, pages, readonly, typefilters

_SEEN: Any = (columns.moment("created_at"), columns.moment("first_seen_at"))
_UID = columns.value("uid", label=_("ID"))
_AS_IT_CAME: Any = (_("As it came"), {"fields": (columns.laid_out("raw"),)})


def _find_workspaces(asked: found.Asked) -> set[int]:
    """Ids of those of the workstations of requests with the words; a single word may be a UID or an owner."""
    numbers = found.find_by_words(asked)
    used = models.Workstation.objects.filter(request_id__in=numbers).values_list("workspace_id", flat=True)
    ids = {number for number in used if number is not None}
    if len(asked.words) == 1:
        rows = models.Workspace.objects
        ids.update(found.list_ids(rows.filter(uid=asked.words[0]), asked.part))
        ids.update(found.list_ids(rows.filter(owner__in=found.find_people(asked.words[0])), asked.part))
    return ids


def _show_status(row: models.Workstation) -> failures.Words:
    """AgentStation's last word, which for what was released or not found is that it is active."""
    return row.status if row.is_live or row.status in row.ENDED_STATUSES else _("ended")


@pages.register(models.Workstation)
class WorkstationAdmin(readonly.ReadOnlyAdmin):
    """The provider's workstations; without a request, orphans."""

    list_display = (
        columns.name(label=_("ID")),
        columns.moment("first_seen_at", label=_("first seen")),
        columns.row_link("request"),
        columns.row_link("request__requester"),
        columns.short_text("type", longest=30),
        columns.make_column(_show_status, field="status"),
        columns.row_link("workspace"),
        columns.moment("ended_at", label=_("ended")),
    )
    list_select_related = ("request__requester", "workspace")
    list_filter = (
        filters.WorkstationStatusFilter,
        typefilters.WorkstationTypeFilter,
        filters.LiveFilter,
        filters.OrphanFilter,
        ("first_seen_at", filters.TimeFilter),
        filters.WorkspaceFilter,
        filters.AccountFilter,
    )
    search_fields = ("uid", "type", "status", "workspace__uid", "request__requester__username")
    number_lookup = "request_id"
    deferred = ("raw", "workspace__raw")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    _UID,
                    (columns.row_link("request"), columns.row_link("request__requester")),
                    columns.row_link("workspace"),
                    ("type", "status"),
                    columns.row_link("account"),
                )
            },
        ),
        (
            _("Times"),
            {
                "fields": (
                    _SEEN,
                    (columns.moment("refreshed_at"), columns.moment("refresh_due_at")),
                    (
                        columns.moment("release_requested_at"),
                        columns.row_link("release_requested_by", label=_("release requested by")),
                    ),
                    (columns.moment("release_due_at"), "release_tries", columns.failure("release_failure")),
                    columns.moment("doubted_at", label=_("not found since")),
                    columns.moment("ended_at"),
                )
            },
        ),
        _AS_IT_CAME,
    )

    def find_words(self, asked: found.Asked) -> Q:
        """Of the requests with the words; an orphan by its UID as it is written."""
        return found.find_related(models.Workstation, asked, uid="uid")


@pages.register(models.Workspace)
class WorkspaceAdmin(readonly.ReadOnlyAdmin):
    """Where files stay."""

    list_display = (
        columns.name(label=_("ID")),
        columns.moment("first_seen_at", label=_("first seen")),
        columns.row_link("owner"),
        columns.short_text("status", longest=30),
        columns.row_link("account"),
    )
    list_select_related = ("owner", "account")
    list_filter = (
        filters.WorkspaceStatusFilter,
        ("first_seen_at", filters.TimeFilter),
        filters.OwnerFilter,
        filters.AccountFilter,
    )
    search_fields = ("uid", "status", "owner__username", "owner__first_name", "owner__last_name")
    number_lookup = "workstations__request"
    deferred = ("raw",)
    fieldsets = (
        (None, {"fields": (_UID, columns.row_link("owner"), "status", columns.row_link("account"), _SEEN)}),
        _AS_IT_CAME,
    )

    def find_number(self, number: int) -> Q:
        """The workspace that the request asked for, or that its workstation is in."""
        used = models.Workstation.objects.filter(request_id=number).values("workspace_id")
        asked = models.Request.objects.filter(pk=number).values("workspace_uid")
        return Q(pk__in=used) | Q(uid__in=asked)

    def find_words(self, asked: found.Asked) -> Q:
        """By UID as it is written, by owner, and those of the workstations of requests with the words."""
        return found.among(_find_workspaces(asked))

    def list_links(self, row: models.Workspace) -> list[tuple[failures.Words, str]]:
        return [
            (_("Workstations"), columns.list_url(models.Workstation, workspace=row.pk)),
            (_("Files"), columns.list_url(models.File, workspace=row.pk)),
            (_("Logs"), columns.list_url(models.Log, workspace=row.pk)),
        ]

    def find_events(self, row: models.Workspace) -> dict[str, object]:
        return {"workspace": row.pk}


class _ContentAdmin(readonly.ReadOnlyAdmin):
    """What lies in a workspace."""

    list_select_related = ("workspace__owner",)
    search_help_text = _(
        "Words find what lies in the workspaces of requests that have all of them in a note, an error, a name or an "
        "ID. A single one may also be the ID, name or type itself, as it is written. Quote a phrase."
    )
    deferred = ("raw", "workspace__raw")
    # The field by which a row is found beside its UID.
    named_by: ClassVar[str]

    def find_words(self, asked: found.Asked) -> Q:
        rows = self.model._default_manager
        ids = set(found.list_ids(rows.filter(workspace_id__in=_find_workspaces(asked)), asked.part))
        if len(asked.words) == 1:
            word = asked.words[0]
            named = rows.alias(beginning=models.Beginning(self.named_by))
            named = named.filter(**{"beginning": word[: models.Beginning.LENGTH], self.named_by: word})
            ids.update(found.list_ids(named, asked.part), found.list_ids(rows.filter(uid=word), asked.part))
        return found.among(ids)

    def find_events(self, row: models.File | models.Log) -> dict[str, object]:
        """Of their workspace: the provider puts files and logs there without a word."""
        return {"workspace": row.workspace_id}


@pages.register(models.File)
class FileAdmin(_ContentAdmin):
    """Files. Their addresses are for the owner of the workspace alone, who sees them in the portal."""

    list_display = (
        columns.name(label=_("ID"), show=columns.short("uid")),
        columns.short_text("name"),
        columns.row_link("workspace"),
        columns.row_link("workspace__owner"),
        columns.file_size("size"),
        columns.moment("created_at", label=_("created")),
    )
    list_filter = (("first_seen_at", filters.TimeFilter), filters.WorkspaceFilter)
    search_fields = ("uid", "name")
    named_by = "name"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    _UID,
                    "name",
                    columns.row_link("workspace"),
                    columns.file_size("size"),
                    _SEEN,
                )
            },
        ),
        _AS_IT_CAME,
    )


@pages.register(models.Log)
class LogAdmin(_ContentAdmin):
    """Logs: type, level and time."""

    list_display = (
        columns.name(label=_("ID"), show=columns.short("uid")),
        columns.short_text("type", longest=60),
        columns.short_text("level", longest=30),
        columns.row_link("workspace"),
        columns.row_link("workspace__owner"),
        columns.moment("created_at", label=_("created")),
    )
    list_filter = (filters.LevelFilter, ("first_seen_at", filters.TimeFilter), filters.WorkspaceFilter)
    search_fields = ("uid", "type")
    named_by = "type"
    fieldsets = (
        (None, {"fields": (_UID, ("type", "level"), columns.row_link("workspace"), _SEEN)}),
        _AS_IT_CAME,
    )
