"""Filters with fixed choices: no list asks the database which values there are."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet, TextField
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns
from portal.models.ids import parse_id
from portal.services.mirrors import types
from portal.services.search import finding

type Rows = QuerySet[Any]
type Choices = Iterable[tuple[str, failures.Words]]
type Filter = type[admin.SimpleListFilter]

_MOST_REQUESTS = 1_000  # of one workspace; the newest


def make_filter(
    parameter: str,
    *,
    title: failures.Words = "",
    offer: Callable[[], Choices] = tuple,
    narrow: Callable[[Rows, str], Rows] | None = None,
    name_value: Callable[[str], str] = str,
) -> Filter:
    """A filter by a parameter. It shows the values that are offered, or alone any other that a link has chosen."""

    class Filter(admin.SimpleListFilter):
        parameter_name = parameter

        def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
            value, offered = self.value(), dict(offer())
            return [*(offered | ({} if value is None or value in offered else {value: name_value(value)})).items()]

        def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
            if (value := self.value()) is None:
                return queryset
            return narrow(queryset, value) if narrow else filter_value(queryset, field=parameter, value=value)

    Filter.title = title or parameter
    return Filter


def filter_value(rows: Rows, *, field: str, value: str) -> Rows:
    """The rows with the value; of a long text the index holds the beginning."""
    if not isinstance(rows.model._meta.get_field(field), TextField):
        return rows.filter(**{field: value})
    length, beginning = models.Beginning.LENGTH, f"{field}_beginning"
    rows = rows.alias(**{beginning: models.Beginning(field)}).filter(**{beginning: value[:length]})
    return rows.filter(**{field: value}) if len(value) >= length else rows


def offer_words(*words: str) -> Callable[[], Choices]:
    return lambda: tuple((word, word) for word in words)


def filter_empty(column: str, *, parameter: str, title: failures.Words, **words: failures.Words) -> Filter:
    """Whether a column is empty: two values with their words, the first of which says that it is."""
    empty = next(iter(words))
    narrow = lambda rows, value: rows.filter(**{f"{column}__isnull": value == empty})  # noqa: E731 (one of two)
    return make_filter(parameter, title=title, offer=words.items, narrow=narrow)


def filter_row(parameter: str, model: type[Model], narrow: Callable[[Rows, int], Rows] | None = None) -> Filter:
    """What belongs to one other row, to which a link leads."""

    def name_row(value: str) -> str:
        row = model._default_manager.filter(pk=_read_id(value)).defer(*columns.list_large(model)).first()
        return str(row) if row else value

    find = narrow or (lambda rows, number: rows.filter(**{parameter: number}))
    return make_filter(parameter, name_value=name_row, narrow=lambda rows, value: find(rows, _read_id(value)))


def _read_id(text: str) -> int:
    if (number := parse_id(text)) is None:
        raise IncorrectLookupParameters
    return number


def _of_workspace(rows: Rows, workspace: int) -> Rows:
    """Events of the requests whose workstations are in it."""
    newest = models.Workstation.objects.filter(workspace=workspace, request__isnull=False).order_by("-id")
    return rows.filter(request_number__in=list(newest.values_list("request_id", flat=True)[:_MOST_REQUESTS]))


def _under_seal(rows: Rows, number: int) -> Rows:
    seal = models.Seal.objects.filter(pk=number).values_list("first_id", "last_id").first()
    return rows.filter(pk__range=seal) if seal else rows.none()


def filter_period(rows: Rows, *, column: str, since: datetime | None, until: datetime | None) -> Rows:
    """Within ids too, which are the order of every list and the end of its indexes."""
    rows = rows.filter(**{f"{column}__gte": since}) if since else rows
    rows = rows.filter(**{f"{column}__lt": until}) if until else rows
    above, below = finding.find_bounds(model=rows.model, column=column, since=since, until=until)
    return finding.bound_ids(rows=rows, above=above, below=below)


class TimeFilter(admin.DateFieldListFilter):
    """Today, this week, this month, this year; for columns whose times the ids follow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = str(self.title).removesuffix(" at") if self.title != "at" else _("time")

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        rows: Any = super().queryset(request, queryset)
        values = (self.used_parameters.get(name) for name in (self.lookup_kwarg_since, self.lookup_kwarg_until))
        times = (parse_datetime(str(value[-1] if isinstance(value, list) else value)) for value in values)
        since, until = (time if time and time.tzinfo else None for time in times)
        return filter_period(rows, column=self.field_path, since=since, until=until)


class LinkedTimeFilter(TimeFilter):
    """A time that a link has chosen, to the second. Shown only then: people choose days in the form above the list."""

    def has_output(self) -> bool:
        return bool(self.used_parameters)


FAILURE = make_filter("failure", offer=lambda: failures.CHOICES)
CAUSE = make_filter("cause", offer=lambda: failures.CHOICES)
TYPE = make_filter("type", offer=lambda: ((name, models.label_type(name)) for name in types.list_known_types()))
LEVEL = make_filter("level", offer=offer_words("debug", "info", "warning", "error"))
WORKSTATION_STATUS = make_filter("status", title=_("last status"), offer=offer_words("active", "completed", "errored"))
WORKSPACE_STATUS = make_filter("status", offer=offer_words("active", "archived"))
LIFE = filter_empty("ended_at", parameter="life", title=_("life"), live=_("Live"), ended=_("Ended"))
OWNED = filter_empty("request", parameter="orphan", title=_("request"), yes=_("None: unassigned"), no=_("Of a request"))
ACTOR = filter_empty(
    "actor_id", parameter="actor", title=_("actor"), portal=_("The portal itself"), person=_("A person")
)
KEY = make_filter("key", narrow=lambda rows, value: rows.filter(key_fingerprint=value))
TARGET = make_filter("target")
REQUEST = filter_row("request", models.Request)
REQUESTER = filter_row("requester", models.User)
OWNER = filter_row("owner", models.User)
WORKSPACE = filter_row("workspace", models.Workspace)
ACCOUNT = filter_row("account", models.Account)
EVENT_WORKSPACE = filter_row("workspace", models.Workspace, _of_workspace)
SEAL = filter_row("seal", models.Seal, _under_seal)
