"""What an auditor asks of the list of events in the form above it: whose, of which request, when, and what happened."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import forms, models
from portal.admin.base import filters, readonly, sentences, telling
from portal.services.search import findevents, periods

# Filters that only a link has, and that lead to few rows.
_LINKS = ("target", "workspace", "seal")


def read_form(query: QueryDict) -> forms.EventFilterForm:
    """The form with what the address says."""
    return forms.EventFilterForm(query, verbs=telling.list_choices())


def list_days() -> list[tuple[str, dict[str, str]]]:
    """What is looked for most: words, and the days of the person's zone that the form then has."""
    today = timezone.localdate()
    yesterday, week = today - timedelta(days=1), today - timedelta(days=6)
    days = ((_("Today"), today, today), (_("Yesterday"), yesterday, yesterday), (_("Last 7 days"), week, today))
    return [(words, {"since": since.isoformat(), "until": until.isoformat()}) for words, since, until in days]


def read_period(form: forms.EventFilterForm) -> tuple[datetime | None, datetime | None]:
    """From the first day's midnight, and until that after the last day."""
    since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    return _start_of(since) if since else None, _start_of(until + timedelta(days=1)) if until else None


def read_search(form: forms.EventFilterForm, words: Sequence[str]) -> findevents.Asked:
    """The words of the search, narrowed by what is filled in, and by the list's filters of time and of who did it."""
    people, number, verb = (form.cleaned_data[name] for name in ("person", "request", "verb"))
    since, until = read_period(form)
    linked_since, linked_until = (filters.read_time(form.data.get(name, "")) for name in ("at__gte", "at__lt"))
    return findevents.Asked(
        words=words,
        people=people,
        verbs=sentences.list_verbs(verb),
        by_person={"person": True, "portal": False}.get(form.data.get(filters.ActorFilter.parameter_name, "")),
        number=number,
        since=max(filter(None, (since, linked_since)), default=None),
        until=min(filter(None, (until, linked_until)), default=None),
    )


def has_one_way(form: forms.EventFilterForm) -> bool:
    """Whether one index leads to the rows that fit what is filled in: not to several people's or several verbs'."""
    people, number, verb = (form.cleaned_data[name] for name in ("person", "request", "verb"))
    if number is not None:
        return True
    if people:
        return len(people) == 1
    return len(sentences.list_verbs(verb)) < 2 or any(form.data.get(name) for name in _LINKS)


class AskingChangeList(readonly.BoundedChangeList):
    """A list of events with the form above it. What cannot be read is said beside its field, and nothing is listed."""

    form: forms.EventFilterForm

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.form = read_form(request.GET)
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> Any:
        """What is left for the filters beside the list."""
        left = super().get_filters_params(params)
        return {name: values for name, values in left.items() if name not in self.form.fields}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.root_queryset = _narrow(self.model_admin.get_queryset(request), self.form)
        rows = super().get_queryset(request, exclude_parameters)
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
    since, until = read_period(form)
    rows = _choose(rows, form)
    rows = rows.filter(at__gte=since) if since else rows
    rows = rows.filter(at__lt=until) if until else rows
    above, below = periods.find_bounds(model=models.Event, column="at", since=since, until=until)
    return periods.bound_ids(rows=rows, key="pk", above=above, below=below)


def _choose(rows: QuerySet[models.Event], form: forms.EventFilterForm) -> QuerySet[models.Event]:
    """Of the request, the person and what happened, the first that is asked for leads to the rows by its index.

    Left the choice, SQLite would walk through all of a verb's events for those of one person. Several people are found
    one by one before, as a search is, and so are several verbs.
    """
    asked = form.cleaned_data
    number, people, verbs = asked["request"], asked["person"], sentences.list_verbs(asked["verb"])
    if number is not None:
        rows = rows.filter(request_number=number)
    if len(people) == 1 and number is None:
        rows = rows.filter(actor_name=people[0])
    elif people:
        rows = rows.alias(actor_text=_hide("actor_name")).filter(actor_text__in=people)
    if len(verbs) == 1 and number is None and not people:
        rows = rows.filter(verb=verbs[0])
    elif verbs:
        rows = rows.alias(verb_text=_hide("verb")).filter(verb_text__in=verbs)
    return rows


def _hide(column: str) -> Concat:
    """The column's text as no index has it."""
    return Concat(column, Value(""))


def _start_of(day: date) -> datetime:
    """Midnight in the person's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))
