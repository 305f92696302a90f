"""The history of an object: what events have changed about it, in words, as the audit log has it."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import DateTimeField, Field, ForeignKey, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _

from portal import models
from portal.admin.base import changelist, columns
from portal.models.ids import parse_id
from portal.services.audit import rows, signatures

_PER_PAGE = 100
_LONGEST = 200  # characters of a value

type People = Mapping[int, str]


class AuditedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Every object leads to its events, and where they hold its columns to what they changed."""

    changelist_class = changelist.ChangeList
    # Lists of what belongs to a row, with the filter that finds it.
    linked_lists: ClassVar[Mapping[type[Model], str]] = {}
    # The portal's own page of a row.
    portal_page: ClassVar[str] = ""
    # Search or filters by which the list of events has those of a row: formats of it. By its name where there are none.
    events_by: ClassVar[Mapping[str, str]] = {}

    def list_links(self, row: Any) -> columns.Links:
        links: columns.Links = [
            (capfirst(str(model._meta.verbose_name_plural)), columns.list_url(model, **{parameter: row.pk}))
            for model, parameter in self.linked_lists.items()
        ]
        return (
            [*links, (_("Open in the portal"), reverse(self.portal_page, args=[row.pk]))] if self.portal_page else links
        )

    def find_events(self, row: Any) -> dict[str, str]:
        found = {name: text.format(row) for name, text in self.events_by.items()}
        return found or {"target": models.name_target(row)}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Only what the filters ask for: Django takes every lookup of every field, and a `note__regex` keeps a database
        busy for minutes."""
        return any(lookup in _list_lookups(each) for each in self.get_list_filter(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[changelist.ChangeList]:
        return self.changelist_class

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (row := context.get("original")) is not None:
            links = [*self.list_links(row), (_("Events"), self._events_url(row))]
            if rows.find_kind(row=row):
                links.append((_("History"), columns.url_of(row, "history")))
            context["links"] = links
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What was changed about the row, which may be gone; or its events, where they do not hold its columns.

        It is a part of the audit log, for whoever may see that. Django's own knows only what was changed here, and an
        administrator of the database could edit it.
        """
        if not request.user.has_perm("portal.view_event"):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        kind = rows.find_kind(row=self.model())
        if kind is None and row is not None:
            return redirect(self._events_url(row))
        row_id = row.pk if row else parse_id(object_id) or 0
        found = models.Change.objects.filter(kind=kind.name if kind else "", row_id=row_id)
        if row is None and not found.exists():
            raise Http404
        pages = Paginator(found.order_by("-event_id", "-position"), _PER_PAGE)
        page = pages.get_page(request.GET.get(PAGE_VAR))
        changes = list(page.object_list)
        events, people = models.Event.objects.in_bulk({change.event_id for change in changes}), _read_people(changes)
        name = str(row) if row else f"{self.opts.verbose_name} {row_id}"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "has_view_permission": self.has_view_permission(request, row),
            "object": row,
            "name": name,
            "title": _("History of %(name)s") % {"name": name},
            "links": [(_("Events"), self._events_url(row))] if row else [],
            "page": page,
            "page_var": PAGE_VAR,
            "page_range": pages.get_elided_page_range(page.number),
            "lines": [(change, events.get(change.event_id), _show_columns(change, people)) for change in changes],
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def _events_url(self, row: Model) -> str:
        return columns.list_url(models.Event, **self.find_events(row))


def _list_lookups(list_filter: Any) -> tuple[str, ...]:
    match list_filter:
        case str():
            return f"{list_filter}__exact", f"{list_filter}__id__exact", f"{list_filter}__isnull"
        case column, _kind:
            return f"{column}__gte", f"{column}__lt"
    return (list_filter.parameter_name,)


def show_changes(changes: Iterable[models.Change]) -> columns.Shown:
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
    pairs = {name: pair for name, pair in change.columns.items() if not all(map(_is_empty, pair))}
    pairs = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]} or pairs
    shown = (_show_column(change, people, name, *pair) for name, pair in pairs.items())
    lines = format_html_join("", "<li>{}: {}</li>", shown)
    return format_html("<ul>{}</ul>", lines) if lines else lines


def _read_people(changes: Iterable[models.Change]) -> People:
    named = ((_find_field(change, name), pair) for change in changes for name, pair in change.columns.items())
    found = {value for field, pair in named if getattr(field, "related_model", None) is models.User for value in pair}
    return dict(models.User.objects.filter(pk__in=found - {None}).values_list("pk", "username"))


def _find_field(change: models.Change, name: str) -> "Field[Any, Any] | None":
    fields = rows.KINDS[change.kind].model._meta.concrete_fields
    return next((field for field in fields if field.attname == name), None)


def _show_column(
    change: models.Change, people: People, name: str, before: object, after: object
) -> tuple[columns.Shown, columns.Shown]:
    field = _find_field(change, name)
    label = str(field.verbose_name) if field else name.replace("_", " ")
    is_changed = before != after and change.act != models.Change.Act.ADDED
    if any(signatures.read_key_id(signature=value) for value in (before, after)):
        return label, _show_digest(before, after, is_changed)
    shown = _show(after, field, people)
    return label, format_html("{} → {}", _show(before, field, people), shown) if is_changed else shown


def _show_digest(before: object, after: object, is_changed: bool) -> str:
    if _is_empty(after):
        return _("emptied")
    if not is_changed:
        return _("kept as a digest")
    return _("set (kept as a digest)") if _is_empty(before) else _("changed (kept as a digest)")


def _show(value: Any, field: "Field[Any, Any] | None", people: People) -> columns.Shown:
    if _is_empty(value):
        return columns.NOTHING
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, ForeignKey):
        model: Any = field.related_model
        names = {models.Request: f"R-{value}", models.User: people.get(value)}
        return columns.link_to(model(pk=value), names.get(model) or f"{model._meta.verbose_name} {value}")
    if isinstance(field, DateTimeField):
        return columns.show_time(datetime.fromisoformat(f"{value}+00:00"))
    if isinstance(value, str) and field and field.choices:
        return value.lower().replace("_", " ")
    return Truncator(_write(value)).chars(_LONGEST)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [])


def _write(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_write, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
