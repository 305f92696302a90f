"""Lists that stay fast however much there is, and that do only what they offer."""

from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views import main
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import forms, models
from portal.admin.base import filters, sentences

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


def list_days() -> list[tuple[str, dict[str, str]]]:
    """What is looked for most: words, and the days of the person's zone that the form then has."""
    today = timezone.localdate()
    yesterday, week = today - timedelta(days=1), today - timedelta(days=6)
    days = ((_("Today"), today, today), (_("Yesterday"), yesterday, yesterday), (_("Last 7 days"), week, today))
    return [(words, {"since": since.isoformat(), "until": until.isoformat()}) for words, since, until in days]


class EventChangeList(UncountedChangeList):
    """A list of events with the form above it. What cannot be read is said beside its field, and nothing is listed."""

    form: forms.EventFilterForm

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.form = forms.EventFilterForm(request.GET, verbs=sentences.list_choices())
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> Any:
        """What is left for the filters beside the list."""
        left = super().get_filters_params(params)
        return {name: values for name, values in left.items() if name not in self.form.fields}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows = _narrow(super().get_queryset(request, exclude_parameters), self.form)
        self.has_active_filters = self.has_active_filters or any(self.form.data.get(name) for name in self.form.fields)
        return rows

    @property
    def days(self) -> list[tuple[str, str]]:
        """Words, and the address of the same list on those days."""
        return [(words, self.get_query_string(days)) for words, days in list_days()]

    @property
    def others(self) -> list[tuple[str, str]]:
        """What the address asks for beside the form and the search: the form takes it along."""
        return [(name, value) for name, value in self.params.items() if name not in (*self.form.fields, "q")]


def _narrow(rows: QuerySet[models.Event], form: forms.EventFilterForm) -> QuerySet[models.Event]:
    """The rows that fit all that is filled in."""
    if not form.is_valid():
        return rows.none()
    asked = form.cleaned_data
    fits = {
        "request_number": asked["request"],
        "actor_name__in": asked["person"],
        "verb__in": sentences.list_verbs(asked["verb"]),
    }
    rows = rows.filter(**{lookup: value for lookup, value in fits.items() if value not in (None, [])})
    since, until = asked["since"], asked["until"] and asked["until"] + timedelta(days=1)
    return filters.filter_period(rows, column="at", since=_start_of(since), until=_start_of(until))


def _start_of(day: date | None) -> datetime | None:
    """Midnight in the person's zone."""
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
