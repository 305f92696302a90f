"""Accounts at the provider and the state of their keys (no key is in the database), and the database itself."""

from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, filters, readonly


@admin.register(models.Account)
class AccountAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "key", "created_at")
    list_select_related = ("key",)
    search_fields = ("base_url",)
    fields = ("base_url", "key", ("created_at", "retired_at"), ("baseline_scan", "shared_at"))
    linked_lists = dict.fromkeys(
        (models.Request, models.Workstation, models.Workspace, models.WorkstationType), "account"
    )


@admin.register(models.Key)
class KeyAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "state", "cause", "paused_at", "paused_until")
    list_select_related = ("account",)
    list_filter = ("state", filters.CAUSE)
    search_fields = ("account__base_url", "cause")
    exclude = ("tick", "resumed_tick")

    def list_links(self, row: models.Key) -> columns.Links:
        return [(_("Open in the portal"), reverse("key"))]


@admin.register(models.Credential)
class CredentialAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "base_url", "asked_at", "accepted_at", "seen_at")
    list_select_related = ("account",)
    search_fields = ("fingerprint", "base_url", "seen_on")

    def list_links(self, row: models.Credential) -> columns.Links:
        return [(_("Attempts with this key"), columns.list_url(models.Attempt, key=row.fingerprint))]


@admin.register(models.Scan)
class ScanAdmin(readonly.ReadOnlyAdmin):
    list_display = (
        "__str__",
        "begun_at",
        "ended_at",
        "is_complete",
        "problem",
        "active_count",
        "history_count",
        "new_count",
    )
    list_filter = ("is_complete",)
    search_fields = ("problem",)
    fields = (
        "account",
        ("begun_at", "ended_at"),
        ("is_complete", "problem"),
        ("active_count", "history_count", "new_count"),
    )

    def find_events(self, row: models.Scan) -> dict[str, str]:
        """What was settled by it: from its beginning to that of the next."""
        later = models.Scan.objects.filter(account=row.account_id, id__gt=row.pk).order_by("id").first()
        until = {"at__lt": later.begun_at.isoformat(" ")} if later else {}
        return {"verb": "reconcile", "at__gte": row.begun_at.isoformat(" "), **until}


@admin.register(models.Notice)
class NoticeAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "first_at")
    search_fields = ("kind",)


@admin.register(models.WorkstationType)
class WorkstationTypeAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "description", "first_listed_at", "listed_at", "withdrawn_at", "account")
    list_select_related = ("account",)
    list_filter = (filters.ACCOUNT,)
    search_fields = ("name", "description")
    events_by = {"verb": "change-types", "target": "account {0.account}"}


@admin.register(models.Database)
class DatabaseAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "place", "timeline", "doubt", "doubted_at")


@admin.register(models.Restore)
class RestoreAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "restored_at", "lost_since")


@admin.register(models.LostResponse)
class LostResponseAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "came_at", "outcome", "http_status", "failure")
