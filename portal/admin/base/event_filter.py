"""The form above the list of events: whose, of which request, when, and what happened."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import forms, models
from portal.admin.base import changelist, filters, sentences


def list_days() -> list[tuple[str, dict[str, str]]]:
    """What is looked for most: words, and the days of the person's zone that the form then has."""
    today = timezone.localdate()
    yesterday, week = today - timedelta(days=1), today - timedelta(days=6)
    days = ((_("Today"), today, today), (_("Yesterday"), yesterday, yesterday), (_("Last 7 days"), week, today))
    return [(words, {"since": since.isoformat(), "until": until.isoformat()}) for words, since, until in days]


class EventChangeList(changelist.UncountedChangeList):
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
    rows = rows.filter(**{lookup: value for lookup, value in fits.items() if value not in (None, [], ())})
    since, until = asked["since"], asked["until"] and asked["until"] + timedelta(days=1)
    return filters.filter_period(rows, column="at", since=_start_of(since), until=_start_of(until))


def _start_of(day: date | None) -> datetime | None:
    """Midnight in the person's zone."""
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
