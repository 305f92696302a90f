"""What the portal has found wrong with its audit log, and how people acknowledge it."""

import re
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal import failures, forms, models
from portal.admin.base import columns, filters, history, pages, readonly
from portal.models.event import Verb
from portal.services.audit import verifyrows, watch
from portal.services.search import periods

_EVENT = re.compile(r"\bevent ([0-9]{1,19})\b")
_COLUMN = re.compile(r"ha[sd] (\w+) ")  # how the words of a row begin that has another value in a column


def _find_column(finding: models.Finding) -> str:
    row, match = verifyrows.find_row(what=finding.what), _COLUMN.match(finding.words)
    return match[1] if row and match and match[1] in (*row[0].columns, *row[0].lists) else columns.NOTHING


def _link_events(finding: models.Finding) -> SafeString | str:
    """Those that it names and that are there."""
    named = {int(number) for number in _EVENT.findall(f"{finding.what} {finding.words}")}
    events = models.Event.objects.filter(pk__in=[number for number in named if number <= periods.LARGEST])
    links = ((columns.url_of(event), event) for event in events.order_by("pk"))
    return format_html_join(", ", '<a href="{}">{}</a>', links) or columns.NOTHING


_WHAT = columns.name(label=_("what"), show=lambda finding: capfirst(finding.what))
_FOUND = columns.moment("found_at", label=_("found"))
_COLUMN_NAME = columns.make_column(_find_column, field="column", label=_("column"))
_EVENTS = columns.make_column(_link_events, field="events", label=_("events that it names"))
_ACKNOWLEDGED = (columns.moment("acknowledged_at", label=_("acknowledged")), columns.row_link("acknowledged_by"))
_REASON = columns.value("reason", label=_("reason"))


@pages.register(models.Finding)
class FindingAdmin(readonly.ReadOnlyAdmin):
    """What is not as the portal has written it."""

    list_display = (
        _WHAT,
        _FOUND,
        "kind",
        _COLUMN_NAME,
        columns.short_text("words", label=_("what it says")),
        *_ACKNOWLEDGED,
        columns.short_text("reason"),
    )
    list_select_related = ("acknowledged_by",)
    list_filter = (filters.OpenFilter,)
    search_fields = ("kind", "what", "words")
    search_help_text = ""
    fieldsets = ((None, {"fields": ((_WHAT, "kind", _COLUMN_NAME), "words", _FOUND, _EVENTS, _ACKNOWLEDGED, _REASON)}),)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the audit log sees what is wrong with it."""
        return request.user.has_perm("portal.view_event")

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Finding]:
        """Each with why it was acknowledged, which its event alone says."""
        told = models.Change.objects.filter(kind="finding", row_id=OuterRef(OuterRef("pk"))).values("event_id")
        acknowledged = models.Event.objects.filter(verb=Verb.ACKNOWLEDGE_FINDING, pk__in=told)
        rows: QuerySet[models.Finding] = super().get_queryset(request)
        return rows.annotate(reason=Subquery(acknowledged.values("reason")[:1]))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.acknowledge))
        return [path("<int:number>/acknowledge/", view, name="portal_finding_acknowledge"), *super().get_urls()]

    def acknowledge(self, request: HttpRequest, number: int) -> HttpResponse:
        """Say that it has been seen, and what came out."""
        if not (self.has_view_permission(request) and request.user.has_perm("portal.close_request")):
            raise PermissionDenied
        finding = get_object_or_404(models.Finding, pk=number)
        form = forms.ReasonForm(request.POST)
        if not form.is_valid():
            self.message_user(request, " ".join(map(str, form.errors["reason"])), messages.ERROR)
            return redirect(columns.url_of(finding))
        try:
            watch.acknowledge_finding(actor=request.user, finding=finding, reason=form.cleaned_data["reason"])  # type: ignore[arg-type]
        except watch.NotOpen as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.message_user(request, _("Noted: it is no longer open, and stays in the audit log."), messages.SUCCESS)
        return redirect(columns.list_url(models.Finding, state="open"))

    def list_links(self, row: models.Finding) -> list[tuple[failures.Words, str]]:
        """To what events have told of the row that it is about, which need not be there."""
        if (named := verifyrows.find_row(what=row.what)) is None:
            return []
        kind, number = named
        return [(_("History of %(row)s") % {"row": row.what}, history.history_url(kind.model, number))]
