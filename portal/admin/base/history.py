"""The history of an object: what events have changed about it, in words, as the audit log has it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import DateTimeField, Field, ForeignKey, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import failures, models
from portal.admin.base import columns
from portal.models.ids import parse_id
from portal.services.audit import rows, signatures
from portal.services.search import periods
from portal.templatetags import ui

_PER_PAGE = 100
_LONGEST = 200  # characters of a value

type People = Mapping[int, str]
type Shown = SafeString | str


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
    people = _read_people(found)
    return [(change, events.get(change.event_id), _show_columns(change, people)) for change in found]


def show_changes(changes: Iterable[models.Change]) -> Shown:
    """The changes of events as a list: each with its row and its columns."""
    listed = list(changes)
    people = _read_people(listed)
    lines = (
        (change.kind.replace("-", " "), change.row_id, change.get_act_display(), _show_columns(change, people))
        for change in listed
    )
    shown = format_html_join("", "<li>{} {} {}{}</li>", lines)
    return format_html('<ul class="changes">{}</ul>', shown) if shown else columns.NOTHING


def _show_columns(change: models.Change, people: People) -> SafeString:
    """What differs; where nothing does, what the event says of a row that was there before."""
    pairs = [pair for pair in _read_pairs(change) if not (_is_empty(pair[1]) and _is_empty(pair[2]))]
    pairs = [pair for pair in pairs if pair[1] != pair[2]] or pairs
    lines = format_html_join("", "<li>{}: {}</li>", (_show_column(change, people, *pair) for pair in pairs))
    return format_html("<ul>{}</ul>", lines) if lines else lines


def _read_people(changes: Iterable[models.Change]) -> People:
    """The names of the people that the columns lead to, by their ids."""
    found = set()
    for change in changes:
        for name, *values in _read_pairs(change):
            if getattr(_find_field(change, name), "related_model", None) is models.User:
                found |= {value for value in values if isinstance(value, int) and abs(value) <= periods.LARGEST}
    return dict(models.User.objects.filter(pk__in=found).values_list("pk", "username"))


def _read_pairs(change: models.Change) -> list[tuple[str, Any, Any]]:
    """Each column with what was there before, and after; in whatever shape somebody has written them."""
    values = change.columns if isinstance(change.columns, dict) else {"columns": change.columns}
    is_pair = {name: isinstance(value, list) and len(value) == 2 for name, value in values.items()}
    return [(name, *(value if is_pair[name] else (value, value))) for name, value in values.items()]


def _find_field(change: models.Change, name: str) -> "Field[Any, Any] | None":
    kind = rows.KINDS.get(change.kind)
    fields = kind.model._meta.concrete_fields if kind else ()
    return next((field for field in fields if field.attname == name), None)


def _show_column(
    change: models.Change, people: People, name: str, before: object, after: object
) -> tuple[Shown, Shown]:
    field = _find_field(change, name)
    label = str(field.verbose_name) if field else name.replace("_", " ")
    if any(signatures.read_key_id(signature=value) for value in (before, after)):
        return label, _show_digest(change, before, after)
    shown = _show(after, field, people)
    if before == after or change.act == models.Change.Act.ADDED:
        return label, shown
    return label, format_html("{} → {}", _show(before, field, people), shown)


def _show_digest(change: models.Change, before: object, after: object) -> str:
    if _is_empty(after):
        return _("emptied")
    if before == after or change.act == models.Change.Act.ADDED:
        return _("kept as a digest")
    return _("set (kept as a digest)") if _is_empty(before) else _("changed (kept as a digest)")


def _show(value: Any, field: "Field[Any, Any] | None", people: People) -> Shown:
    if _is_empty(value):
        return columns.NOTHING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, ForeignKey):
        return _link_to(value, field.related_model, people)
    if isinstance(field, DateTimeField):
        return _show_time(value)
    if isinstance(value, str) and field and field.choices:
        return value.lower().replace("_", " ")
    return Truncator(_write(value)).chars(_LONGEST)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [])


def _write(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_write, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _link_to(key: Any, model: type[Any], people: People) -> Shown:
    names = {models.Request: f"R-{key}", models.User: people.get(key)}
    name = names.get(model) or f"{model._meta.verbose_name} {key}"
    return columns.link_to(model(pk=key), name)


def _show_time(value: object) -> Shown:
    try:
        return ui.moment(datetime.fromisoformat(f"{value}+00:00"), "j M Y, H:i:s")
    except ValueError:
        return str(value)
