"""The history of an object: what events have changed about it, as the audit log has it."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import failures, models
from portal.admin.base import changes, columns
from portal.models.ids import parse_id
from portal.services.audit import rows

_PER_PAGE = 100


class HistoryMixin:
    """Every object leads to its events, and where they hold its columns to what they changed."""

    model: Any
    opts: Any
    admin_site: Any

    def list_links(self, row: Any) -> list[tuple[failures.Words, str]]:
        """Labels and addresses of what belongs to the row."""
        return []

    def find_events(self, row: Any) -> dict[str, object]:
        """Search or filters by which the list of events has those of the row."""
        return {"target": models.name_target(row)}

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = context.get("original")
        links = [] if row is None else [*self.list_links(row), *self._list_past(row)]
        shown: HttpResponse = super().render_change_form(  # type: ignore[misc]
            request, context | {"links": links}, *args, **kwargs
        )
        return shown

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What was changed about the row, which may be gone; or its events, where they do not hold its columns.

        It is a part of the audit log, for whoever may see that. Django's own knows only what was changed here, and an
        administrator of the database could edit it.
        """
        if not request.user.has_perm("portal.view_event"):
            raise PermissionDenied
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        kind = rows.find_kind(row=self.model())
        if kind is None and row is not None:
            return redirect(self._events_url(row))
        row_id = row.pk if row else parse_id(object_id) or 0
        found = models.Change.objects.filter(kind=kind.name if kind else "", row_id=row_id)
        if row is None and not found.exists():
            raise Http404
        pages = Paginator(found.order_by("-event_id", "-position"), _PER_PAGE)
        page = pages.get_page(request.GET.get(PAGE_VAR))
        name = str(row) if row else f"{self.opts.verbose_name} {row_id}"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "has_view_permission": self.has_view_permission(request, row),  # type: ignore[attr-defined]
            "object": row,
            "name": name,
            "title": _("History of %(name)s") % {"name": name},
            "links": [(_("Events"), self._events_url(row))] if row else [],
            "page": page,
            "page_var": PAGE_VAR,
            "page_range": pages.get_elided_page_range(page.number),
            "lines": _read_lines(list(page.object_list)),
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def _list_past(self, row: Model) -> list[tuple[failures.Words, str]]:
        events = (gettext_lazy("Events"), self._events_url(row))
        if rows.find_kind(row=row) is None:
            return [events]
        return [events, (gettext_lazy("History"), columns.url_of(row, "history"))]

    def _events_url(self, row: Model) -> str:
        return columns.list_url(models.Event, **self.find_events(row))


def _read_lines(found: Sequence[models.Change]) -> list[tuple[models.Change, models.Event | None, SafeString]]:
    """Each change with its event, if that is there, and in words."""
    events = models.Event.objects.in_bulk([change.event_id for change in found])
    people = changes.read_people(found)
    return [(change, events.get(change.event_id), changes.show_columns(change, people)) for change in found]
