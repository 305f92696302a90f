"""The audit log."""

import json
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import asking, changes, columns, export, filters, found, pages, readonly, responses, telling
from portal.models.event import Verb
from portal.services.audit import seals
from portal.services.search import findevents


def _seal_link(event: models.Event) -> SafeString | str:
    return columns.link_to(seals.find_seal(event_id=event.pk)) if event.pk else columns.NOTHING


_NUMBER = columns.name(label=_("event"), show=lambda event: event.pk)
_WHEN = columns.moment("at", label=_("when"))
_TOLD = columns.make_column(telling.tell_with_code, field="told", label=_("what happened"))
_REQUEST = columns.make_column(
    lambda event: telling.show_request(event.request_number), field="request_number", label=_("request")
)
_WHO = columns.make_column(telling.show_actor, field="actor_name", label=_("who"))
_VERB = columns.make_column(lambda event: event.verb, field="verb", label=_("code"))
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

    list_display = (_NUMBER, _WHEN, _TOLD, columns.short_text("reason"))
    list_filter = (
        filters.ActorFilter,
        ("at", filters.LinkedTimeFilter),
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
            {"fields": (_TOLD, _WHEN, "reason", _WHO, (_VERB, "target"), _REQUEST, _DETAIL)},
        ),
        (_("Where it came from"), {"fields": (("address", columns.value("http_request", label=_("HTTP request"))),)}),
        (_("In the audit log"), {"fields": (_CHANGES, _SEAL)}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return asking.AskingChangeList

    def find_ids(self, asked: found.Asked) -> list[int] | None:
        """By the indexes: ten million events are too many to look for a word, or for one of several people or verbs, in
        each."""
        form = asking.read_form(asked.query)
        if not form.is_valid():
            return []
        if not asked.words and asking.has_one_way(form):
            return None
        shown = {str(verb.label): verb.value for verb in Verb}
        search = asking.read_search(form, [shown.get(word, word) for word in asked.words])
        return findevents.find_events(asked=search, verbs=Verb.values, part=asked.part)

    def list_links(self, row: models.Event) -> list[tuple[failures.Words, str]]:
        if not row.http_request:
            return []
        return [(_("All of this HTTP request"), columns.list_url(models.Event, q=row.http_request))]

    def find_events(self, row: models.Event) -> dict[str, object]:
        """Of its request, or of what it was done to."""
        return {"target": row.target} if row.request_number is None else {"q": f"R-{row.request_number}"}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "audit_log": seals.describe_state()})
