"""What the portal wrote can be read here, or taken as a file, and nothing else, by superusers too."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ORDER_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal import models
from portal.admin.base import changelist, columns, history
from portal.web.streams import limit_streams, send_rows

_NAMES = {"csv": _("Download as CSV"), "jsonl": _("Download as JSON Lines")}


class ReadOnlyAdmin(history.AuditedAdmin):
    """A list, newest first, and pages of which each field is shown as its type asks for.

    Nobody adds, changes or deletes; whoever has Django's permission to view the model reads.
    """

    actions = None
    changelist_class = changelist.UncountedChangeList
    list_per_page = 50
    ordering = ("-pk",)
    show_facets = admin.ShowFacets.NEVER
    # Where a row's request is, and its person: a search by a request's number, or by a user name, goes there alone.
    number_lookup: ClassVar[str] = ""
    person_lookup: ClassVar[str] = ""
    # A single word that is one of these as it is written goes there alone, too.
    name_lookups: ClassVar[tuple[str, ...]] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        every = [field.name for field in self.opts.concrete_fields if field.name not in ("id", *(self.exclude or ()))]
        return [
            tuple(map(self._find_column, line)) if isinstance(line, tuple) else self._find_column(line)
            for line in self.fields or every
        ]

    def _find_column(self, column: Any, *, is_list: bool = False) -> Any:
        is_field = isinstance(column, str) and (column == "__str__" or not hasattr(type(self), column))
        return columns.find_column(self.opts.model, column, is_list=is_list) if is_field else column

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        related: Any = self.list_select_related or ()
        return super().get_queryset(request).defer(*columns.list_large(self.model, related))

    def get_list_display(self, request: HttpRequest) -> Any:
        return [self._find_column(column, is_list=True) for column in self.list_display]

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return [column for column in self.get_list_display(request) if getattr(column, "admin_order_field", None)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows of the request with that number, or with all of the words. Never twice the same row."""
        if self.number_lookup and (number := models.read_number(search_term)) is not None:
            return self.find_number(queryset, number), False
        try:
            for word in models.read_words(search_term):
                queryset = self.search(queryset, word)
        except models.UnreadableSearch as error:
            self.message_user(request, str(error), messages.WARNING)
            return queryset.none(), False
        return queryset, False

    def find_number(self, rows: QuerySet[Any], number: int) -> QuerySet[Any]:
        return rows.filter(**{self.number_lookup: number})

    def search(self, rows: QuerySet[Any], word: str) -> QuerySet[Any]:
        """The rows that have the word. Raises UnreadableSearch."""
        people = models.User.objects.filter(username__iexact=word) if self.person_lookup else models.User.objects.none()
        if people:
            return rows.filter(**{f"{self.person_lookup}__in": people})
        for lookup in self.name_lookups:
            if (named := rows.filter(**{lookup: word})).exists():
                return named
        return self.search_text(rows, word)

    def search_text(self, rows: QuerySet[Any], word: str) -> QuerySet[Any]:
        places = {}
        for field in self.search_fields:
            if field.endswith("search_entry__words"):
                models.check_words([word])
                places[f"{field}__contains"] = models.fold(word)
            else:
                places[f"{field}__icontains"] = word
        return rows.filter(Q(**places, _connector=Q.OR)) if places else rows.none()


class ExportAdmin(ReadOnlyAdmin):
    """Two buttons beside the list take every row that its filters and search find, not only the pages that it shows.

    For models that exporting knows by `export_kind`.
    """

    export_kind: ClassVar[str]

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(require_POST(limit_streams(self.export)))
        return [
            *(path(f"export.{form}", view, {"form": form}, f"{name}_{form}") for form in _NAMES),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        query = request.GET.urlencode()
        links = [(_NAMES[form], f"export.{form}{f'?{query}' if query else ''}") for form in _NAMES]
        return super().changelist_view(request, {**(extra_context or {}), "exports": links})

    def export(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """The file, written while it is sent; taking it is recorded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = self.get_changelist_instance(request).queryset.values_list("pk", flat=True)
        return send_rows(
            actor=request.user,  # type: ignore[arg-type]  # admin_view lets nobody in who is not signed in
            kind=self.export_kind,
            form=form,
            asked={name: str(value) for name, value in request.GET.items()},
            find=lambda part: part.cut(ids),
            newest_first=request.GET.get(ORDER_VAR) != "0",
        )
