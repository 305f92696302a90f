"""The audit log: its events, the seals that protect them, and what was pruned from it. docs/audit-log.md."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal import models
from portal.admin.base import changelist, columns, filters, history, readonly, sentences
from portal.services.audit import seals

# What is named in events that belong to no request; those of a request are found by its number.
_KINDS = ("key", "account", "user", "group", "workstation", "workspace", "notice")


@admin.register(models.Event)
class EventAdmin(readonly.ExportAdmin):
    list_display = ("pk", "at", "what_happened", "reason")
    list_filter = (
        filters.ACTOR,
        ("at", filters.LinkedTimeFilter),
        filters.TARGET,
        filters.EVENT_WORKSPACE,
        filters.SEAL,
    )
    changelist_class = changelist.EventChangeList
    export_kind = "events"
    search_fields = ("actor_name", "target", "http_request", "reason")
    search_help_text = _(
        "R-1042 finds by the request's number. Of several words each must be the ID or name of what it was done to, a "
        'person\'s name, the ID of an HTTP request, or a part of the reason; quote a phrase: "workstation AbC123".'
    )
    number_lookup = "request_number"
    fields = (
        "what_happened",
        "at",
        "reason",
        ("actor_name", "verb", "target"),
        "detail",
        ("address", "http_request"),
        "what_changed",
        "sealed_by",
    )

    def search(self, rows: QuerySet[models.Event], word: str) -> QuerySet[models.Event]:
        """Each place has an index. What those of HTTP requests and reasons leave out is said as they say it."""
        places = Q(actor_name=word) | Q(target__in=[word, *(f"{kind} {word}" for kind in _KINDS)])
        places |= ~Q(http_request="") & Q(http_request=word)
        return rows.filter(places | (~Q(reason="") & Q(reason__icontains=word)))

    @admin.display(description=_("what happened"))
    def what_happened(self, row: models.Event) -> SafeString:
        return sentences.describe_event(row)

    @admin.display(description=_("what changed"))
    def what_changed(self, row: models.Event) -> SafeString | str:
        return history.show_changes(row.changes)

    @admin.display(description=_("sealed by"))
    def sealed_by(self, row: models.Event) -> SafeString | str:
        return columns.link_to(seals.find_seal(event_id=row.pk))

    def list_links(self, row: models.Event) -> columns.Links:
        if not row.http_request:
            return []
        return [(_("All of this HTTP request"), columns.list_url(models.Event, q=row.http_request))]

    def find_events(self, row: models.Event) -> dict[str, str]:
        return {"target": row.target} if row.request_number is None else {"q": f"R-{row.request_number}"}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "audit_log": seals.describe_state()})


@admin.register(models.Seal)
class SealAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "made_at", "count", "first_id", "last_id", "key_id", "digest")
    fields = ("number", "made_at", ("count", "first_id", "last_id"), "key_id", "previous", "signatures", "digest")
    events_by = {"seal": "{0.pk}"}  # those that it closed: nothing ever happens to a seal

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


@admin.register(models.Tombstone)
class TombstoneAdmin(readonly.ReadOnlyAdmin):
    list_display = ("__str__", "made_at", "kind", "first_id", "last_id", "counts")
    list_filter = ("kind", ("made_at", filters.TimeFilter))
    # The one of the pruning that it was made by, where it is the first of it.
    events_by = {"target": "tombstone {0.pk}"}
