"""Lists that stay fast however much there is, and that do only what they offer."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views import main
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator


class UncountedPaginator(_Paginator):
    """Reads one page and a row more: how many there are takes a database seconds to say."""

    LIMIT: ClassVar[int] = 10_000  # rows through which one may page
    first = 0

    @cached_property
    def found(self) -> list[Any]:
        """By their ids, which an index has in order: what belongs to the rows is joined to no others."""
        if not 0 <= self.first < self.LIMIT:
            return []
        rows: Any = self.object_list
        ids = list(rows.values_list("pk", flat=True)[self.first : self.first + self.per_page + 1])
        return list(rows.filter(pk__in=ids)) if ids else []

    @cached_property
    def count(self) -> int:
        return self.first + len(self.found)

    @property
    def has_more(self) -> bool:
        """Whether there are rows behind the page."""
        return bool(len(self.found) > self.per_page)

    def page(self, number: Any) -> Any:
        return Page(self.found[: self.per_page], number, self)


class ChangeList(main.ChangeList):
    """A list sorted by the columns whose heads can be clicked."""

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None


class UncountedChangeList(ChangeList):
    """A list of which a page is read, without an unbounded query even where the page has all of it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = self.paginator.found[: self.list_per_page]
        if self.page_num < 1 or (self.paginator.first and not self.result_list):
            raise IncorrectLookupParameters


class AllowedLookupsMixin:
    """Of a list's address only what its filters ask for: Django takes every lookup of every field, and a `note__regex`
    keeps a database busy for minutes."""

    get_list_filter: Any

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return any(lookup in _list_lookups(each) for each in self.get_list_filter(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[main.ChangeList]:
        return ChangeList

    def get_changelist_instance(self, request: HttpRequest) -> main.ChangeList:
        """A bad request where the address means nothing: the whole list would be taken for what was asked for."""
        if any("\x00" in text for name, values in request.GET.lists() for text in (name, *values)):
            raise DisallowedModelAdminLookup("No database takes a NUL.")
        try:
            shown: main.ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
        except IncorrectLookupParameters as error:
            raise DisallowedModelAdminLookup("No such list.") from error
        return shown


def _list_lookups(list_filter: Any) -> tuple[str, ...]:
    """What the filter reads of an address."""
    if isinstance(list_filter, str):
        return f"{list_filter}__exact", f"{list_filter}__id__exact", f"{list_filter}__isnull"
    if isinstance(list_filter, tuple):
        return f"{list_filter[0]}__gte", f"{list_filter[0]}__lt"
    return (list_filter.parameter_name,)


def list_ids(rows: QuerySet[Any], part: Any) -> list[int]:
    """The ids of the rows of a part, in its order."""
    rows = rows.filter(pk__gt=part.above, pk__lt=part.below).order_by("-pk" if part.newest_first else "pk")
    return list(rows.values_list("pk", flat=True)[: part.limit])
