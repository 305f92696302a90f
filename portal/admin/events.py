"""The audit log."""

import json
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import changes, columns, export, filters, found, pages, readonly, responses
from portal.models.event import Verb
from portal.services.audit import seals
from portal.services.search import findevents


def _request_link(event: models.Event) -> SafeString | str:
    """By number: an event holds no keys to other rows."""
    if event.request_number is None:
        return columns.NOTHING
    url = reverse("admin:portal_request_change", args=[event.request_number])
    return format_html('<a href="{}">R-{}</a>', url, event.request_number)


def _actor_link(event: models.Event) -> SafeString | str:
    if event.actor_id is None:
        return event.actor_name or gettext("the portal")
    url = reverse("admin:portal_user_change", args=[event.actor_id])
    return format_html('<a href="{}">{}</a>', url, event.actor_name)


def _seal_link(event: models.Event) -> SafeString | str:
    return columns.link_to(seals.find_seal(event_id=event.pk)) if event.pk else columns.NOTHING


_REQUEST = columns.make_column(_request_link, field="request_number", label=_("request"))
_WHO = columns.make_column(_actor_link, field="actor_name", label=_("who"))
_SEAL = columns.make_column(_seal_link, field="seal", label=_("sealed by"))
_CHANGES = columns.make_column(
    lambda event: changes.show_changes(event.changes if event.pk else []),
    field="changes",
    label=_("what changed"),
)
_DETAIL = columns.make_column(
    lambda event: responses.show_text(json.dumps(event.detail, ensure_ascii=False) if event.detail else ""),
    field="detail",
)


@pages.register(models.Event)
class EventAdmin(export.ExportMixin, readonly.ReadOnlyAdmin):
    """Who did what to what, when."""

    list_display = (
        columns.name(label=_("event"), show=lambda event: event.pk),
        columns.moment("at", label=_("when")),
        _WHO,
        "verb",
        "target",
        _REQUEST,
        columns.short_text("reason"),
    )
    list_filter = (
        filters.VerbFilter,
        filters.ActorFilter,
        ("at", filters.TimeFilter),
        filters.TargetFilter,
        filters.EventWorkspaceFilter,
        filters.SealFilter,
    )
    export_kind = "events"
    search_fields = ("actor_name", "verb", "target", "reason")
    search_help_text = _(
        "R-1042 finds by the request's number. Of several words each must be a person's name, a verb, the ID or name "
        "of what it was done to, the id of an HTTP request, or a part of the reason; quote a phrase: "
        '"workstation AbC123", "signed in".'
    )
    number_lookup = "request_number"
    fieldsets = (
        (
            None,
            {"fields": (columns.moment("at", label=_("when")), _WHO, "verb", "target", _REQUEST, "reason", _DETAIL)},
        ),
        (_("Where it came from"), {"fields": (("address", columns.value("http_request", label=_("HTTP request"))),)}),
        (_("In the audit log"), {"fields": (_CHANGES, _SEAL)}),
    )

    def find_ids(self, asked: found.Asked) -> list[int] | None:
        """By the indexes: ten million events are too many to look for a word in each."""
        if not asked.words:
            return None
        shown = {str(verb.label): verb.value for verb in Verb}
        words = [shown.get(word, word) for word in asked.words]
        return findevents.find_events(words=words, verbs=Verb.values, part=asked.part)

    def list_links(self, row: models.Event) -> list[tuple[failures.Words, str]]:
        if not row.http_request:
            return []
        return [(_("All of this HTTP request"), columns.list_url(models.Event, q=row.http_request))]

    def find_events(self, row: models.Event) -> dict[str, object]:
        """Of its request, or of what it was done to."""
        return {"target": row.target} if row.request_number is None else {"q": f"R-{row.request_number}"}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "audit_log": seals.describe_state()})
