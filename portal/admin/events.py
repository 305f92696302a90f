"""The audit log."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import changelist, changes, columns, export, filters, readonly, sentences
from portal.services.audit import seals

# What is named in events that belong to no request; those of a request are found by its number.
_KINDS = ("key", "account", "user", "group", "workstation", "workspace", "notice")


@admin.register(models.Event)
class EventAdmin(export.ExportMixin, readonly.ReadOnlyAdmin):
    """Who did what to what, when."""

    list_display = ("pk", "at", "what_happened", "reason")
    list_filter = (
        *(filters.ACTOR, ("at", filters.LinkedTimeFilter)),
        *(filters.TARGET, filters.EVENT_WORKSPACE, filters.SEAL),
    )
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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return changelist.EventChangeList

    def search(self, rows: QuerySet[models.Event], word: str) -> QuerySet[models.Event]:
        """Each place has an index. What those of HTTP requests and reasons leave out is said as they say it."""
        places = Q(actor_name=word) | Q(target__in=[word, *(f"{kind} {word}" for kind in _KINDS)])
        places |= ~Q(http_request="") & Q(http_request=word)
        return rows.filter(places | (~Q(reason="") & Q(reason__icontains=word)))

    @admin.display(description=_("what happened"))
    def what_happened(self, row: models.Event) -> SafeString:
        """The event as a sentence."""
        return sentences.describe_event(row)

    @admin.display(description=_("what changed"))
    def what_changed(self, row: models.Event) -> SafeString | str:
        """Rows with their columns before and after."""
        return changes.show_changes(row.changes)

    @admin.display(description=_("sealed by"))
    def sealed_by(self, row: models.Event) -> SafeString | str:
        """The batch that it is proven by."""
        return columns.link_to(seals.find_seal(event_id=row.pk))

    def list_links(self, row: models.Event) -> list[tuple[failures.Words, str]]:
        if not row.http_request:
            return []
        return [(_("All of this HTTP request"), columns.list_url(models.Event, q=row.http_request))]

    def find_events(self, row: models.Event) -> dict[str, object]:
        """Of its request, or of what it was done to."""
        return {"target": row.target} if row.request_number is None else {"q": f"R-{row.request_number}"}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "audit_log": seals.describe_state()})
