"""What the portal wrote can be read here and nothing else, by superusers too; fast however much there is."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import utils
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import found, history, offered

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _StackedInline = admin.StackedInline[Any, Any]
    _Paginator = Paginator[Any]
else:
    _ModelAdmin, _StackedInline, _Paginator = admin.ModelAdmin, admin.StackedInline, Paginator


class BoundedPaginator(_Paginator):
    """Counts no further than an auditor pages."""

    LIMIT: ClassVar[int] = 10_000
    whole: Any  # the rows with what belongs to them, in order and not filtered

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: self.LIMIT].count())

    def page(self, number: Any) -> Any:
        """The rows of a page by their ids, which an index finds: what belongs to them is joined to no others."""
        page: Any = super().page(number)
        page.object_list = self.read_whole(page.object_list)
        return page

    def read_whole(self, rows: Any) -> Any:
        """The same rows, of which there are so many at most, read by their ids alone."""
        return self.whole.filter(pk__in=rows.values("pk"))

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count >= self.LIMIT or self.count == found.MOST


class BoundedChangeList(offered.OfferedChangeList):
    """A list whose every query says how many rows it wants; without, PostgreSQL may walk through all there are."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.result_count <= self.list_per_page or (self.show_all and self.can_show_all):
            self.result_list = self.paginator.read_whole(self.queryset[: self.list_max_show_all])


class _NoChanges:
    """Nobody adds, changes or deletes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(_NoChanges, _StackedInline):
    """Rows shown on the page of what they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return utils.flatten(self.fields or ())


class ReadOnlyAdmin(history.HistoryMixin, offered.OfferedMixin, _NoChanges, _ModelAdmin):
    """A list, newest first, and pages, for whoever has Django's permission to view the model."""

    actions = None
    list_per_page = 50
    ordering = ("-id",)
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_help_text: ClassVar[failures.Words] = _(
        "R-1042 or 1042 finds by the request's number alone. Of several words each must be found; "
        'quote a number or a phrase to look for it as text: "1042".'
    )
    # Where a row's request is, for a search by its number.
    number_lookup: ClassVar[str] = ""
    # Large columns, read only on the page that shows them.
    deferred: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.deferred)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return utils.flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_paginator(self, request: HttpRequest, queryset: QuerySet[Any], per_page: int, *args: Any) -> Any:
        """One that knows how to read whole rows."""
        paginator: Any = super().get_paginator(request, queryset, per_page, *args)
        rows = self.get_queryset(request).order_by(*queryset.query.order_by)
        related: Any = self.list_select_related
        paginator.whole = rows.select_related(*related) if related else rows
        return paginator

    def get_sortable_by(self, request: HttpRequest) -> Any:
        """By id alone: at a million rows any other order would have to be made anew for each page."""
        return [column for column in self.list_display if getattr(column, "admin_order_field", None) == "id"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows of the request with that number, or with all of the words. Never twice the same row."""
        number = models.read_number(search_term) if self.number_lookup else None
        if number is not None:
            return queryset.filter(self.find_number(number)), False
        try:
            return queryset.filter(self.search(found.read_search(request.GET, search_term))), False
        except models.UnreadableSearch as error:
            self.message_user(request, str(error), messages.WARNING)
            return queryset.none(), False

    def search(self, asked: found.Asked) -> Q:
        """Where the rows are that are looked for. Raises UnreadableSearch."""
        return self.find_words(asked) if asked.words else Q()

    def find_words(self, asked: found.Asked) -> Q:
        """Where each of the words is in one of the fields that are searched."""
        places = Q()
        for word in asked.words:
            places &= Q.create([(f"{field}__icontains", word) for field in self.search_fields], connector=Q.OR)
        return places

    def find_number(self, number: int) -> Q:
        """Where the rows of the request are."""
        return Q((self.number_lookup, number))
