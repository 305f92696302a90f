"""What protects the audit log: its seals, and what was pruned from it. docs/audit-log.md."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal import failures, models
from portal.admin.base import columns, filters, readonly
from portal.services.audit import seals


@admin.register(models.Seal)
class SealAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "made_at", "count", "first_id", "last_id", "key_id", "digest")
    fields = ("number", "made_at", ("count", "first_id", "last_id"), "key_id", "previous", "signatures", "digest")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.download_checkpoint))
        return [path("checkpoint.json", view, name="portal_seal_checkpoint"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        links = [(_("Download the newest as a checkpoint"), "checkpoint.json")]
        return super().changelist_view(request, {**(extra_context or {}), "exports": links})

    def download_checkpoint(self, request: HttpRequest) -> HttpResponse:
        """What export_checkpoint prints: an auditor keeps it where nobody who works on the portal can write."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            checkpoint = seals.describe_newest()
        except seals.NoSeal as error:
            self.message_user(request, str(error), messages.WARNING)
            return redirect(columns.list_url(models.Seal))
        name = f"checkpoint-{checkpoint['number']}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return JsonResponse(checkpoint, json_dumps_params={"indent": 2}, headers=headers)

    def find_events(self, row: models.Seal) -> dict[str, object]:
        """Those that it closed: nothing ever happens to a seal."""
        return {"seal": row.pk}

    def list_links(self, row: models.Seal) -> list[tuple[failures.Words, str]]:
        near = models.Seal.objects.filter(pk__in=(row.pk - 1, row.pk + 1)).only("pk").order_by("pk")
        labels = {row.pk - 1: _("The seal before it"), row.pk + 1: _("The next seal")}
        return [(labels[seal.pk], columns.url_of(seal)) for seal in near]


@admin.register(models.Tombstone)
class TombstoneAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "made_at", "kind", "first_id", "last_id", "counts")
    list_filter = ("kind", ("made_at", filters.TimeFilter))

    def find_events(self, row: models.Tombstone) -> dict[str, object]:
        """The one of the pruning that it was made by, where it is the first of it."""
        return {"target": f"tombstone {row.pk}"}
