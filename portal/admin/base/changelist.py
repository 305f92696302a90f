"""Lists that stay fast however much there is, and that do only what they offer."""

from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views import main
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from portal import forms
from portal.admin.base import filters, sentences

MOST_ROWS = 10_000  # through which one may page


class ChangeList(main.ChangeList):
    """A list that can be sorted by the columns whose heads can be clicked."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """A bad request where the address means nothing: the whole list would be taken for what was asked for."""
        if "%00" in request.GET.urlencode():
            raise DisallowedModelAdminLookup("No database takes a NUL.")
        try:
            super().__init__(request, *args, **kwargs)
        except IncorrectLookupParameters as error:
            raise DisallowedModelAdminLookup("No such list.") from error

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None


class UncountedChangeList(ChangeList):
    """A list of which one page is read and a row more: how many there are takes a database seconds to say."""

    has_more: bool

    def get_results(self, request: HttpRequest) -> None:
        """By ids, which an index has in order: what belongs to the rows is joined to no others."""
        first = (self.page_num - 1) * self.list_per_page
        if not 0 <= first < MOST_ROWS:
            raise IncorrectLookupParameters
        ids = list(self.queryset.values_list("pk", flat=True)[first : first + self.list_per_page + 1])
        if first and not ids:
            raise IncorrectLookupParameters
        self.has_more = len(ids) > self.list_per_page
        self.result_list = list(self.queryset.filter(pk__in=ids[: self.list_per_page])) if ids else []
        self.result_count, self.full_result_count = first + len(ids), None
        self.can_show_all, self.multi_page = False, self.result_count > self.list_per_page
        self.paginator = Paginator(range(self.result_count), self.list_per_page)


class EventChangeList(UncountedChangeList):
    """A list of events with the form above it. What cannot be read is said beside its field, and nothing is listed."""

    form: forms.EventFilterForm

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.form = forms.EventFilterForm(request.GET, offered={"verb": sentences.list_choices()})
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> Any:
        """What is left for the filters beside the list."""
        left = super().get_filters_params(params)
        return {name: values for name, values in left.items() if name not in self.form.fields}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows = super().get_queryset(request, exclude_parameters)
        self.has_active_filters = self.has_active_filters or any(self.form.data.get(name) for name in self.form.fields)
        if not self.form.is_valid():
            return rows.none()
        asked = self.form.cleaned_data
        fits = {
            "request_number": asked["request"],
            "actor_name__in": asked["person"],
            "verb__in": sentences.list_verbs(asked["verb"]),
        }
        rows = rows.filter(**{lookup: value for lookup, value in fits.items() if value not in (None, [])})
        since, until = self.form.read_moments()
        return filters.filter_period(rows, column="at", since=since, until=until)

    @property
    def days(self) -> list[tuple[str, str]]:
        """Of the person's zone."""
        return forms.list_periods(lambda **days: self.get_query_string(days))

    @property
    def others(self) -> list[tuple[str, str]]:
        """What the address asks for beside the form and the search: the form takes it along."""
        return [(name, value) for name, value in self.params.items() if name not in (*self.form.fields, "q")]
