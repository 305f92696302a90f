"""Filters with fixed choices: no list asks the database which values there are."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.services.search import periods

_LARGEST_ID = 2**63 - 1
_MOST_REQUESTS = 1_000  # of one workspace; the newest


def read_time(text: str) -> datetime | None:
    """A time of an address, as the links of a TimeFilter write it; None for anything else."""
    try:
        time = parse_datetime(text)
    except ValueError:
        return None
    return time if time and time.tzinfo else None


class FixedChoices(admin.SimpleListFilter):
    """One value of the field that the parameter names."""

    options: ClassVar[tuple[tuple[str, failures.Words], ...]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, failures.Words], ...]:
        return self.options

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{str(self.parameter_name): value})


class TimeFilter(admin.DateFieldListFilter):
    """Today, this week, this month, this year; for columns whose times the ids follow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = str(self.title).removesuffix(" at") if self.title != "at" else _("time")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Within ids too, which are the order of every list and the end of its indexes."""
        rows: Any = super().queryset(request, queryset)
        since, until = (self._read_time(name) for name in (self.lookup_kwarg_since, self.lookup_kwarg_until))
        above, below = periods.find_bounds(model=queryset.model, column=self.field_path, since=since, until=until)
        return periods.bound_ids(rows=rows, key="pk", above=above, below=below)

    def _read_time(self, name: str) -> datetime | None:
        value = self.used_parameters.get(name)
        text = value[-1] if isinstance(value, list) else value
        return read_time(text) if isinstance(text, str) else None


class LinkedTimeFilter(TimeFilter):
    """A time that a link has chosen, to the second. Shown only then: people choose days in the form above the list."""

    def has_output(self) -> bool:
        return bool(self.used_parameters)

    def choices(self, changelist: Any) -> Any:
        """Any time, or the one of the link."""
        anytime, *_others = super().choices(changelist)
        times = " – ".join(str(text) for text in self.date_params.values())
        return [anytime, {"selected": True, "query_string": changelist.get_query_string(), "display": times}]


class FailureFilter(FixedChoices):
    """The codes of the catalogue."""

    title = _("failure")
    parameter_name = "failure"
    options = tuple(failures.CHOICES)


class CauseFilter(FixedChoices):
    """What holds the key."""

    title = _("cause")
    parameter_name = "cause"
    options = tuple(failures.CHOICES)


class ProviderChoices(FixedChoices):
    """One value of a text from the provider, of which the index holds the beginning."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value, field = self.value(), str(self.parameter_name)
        if value is None:
            return queryset
        rows: QuerySet[Any] = queryset.alias(beginning=models.Beginning(field))
        return rows.filter(**{"beginning": value[: models.Beginning.LENGTH], field: value})


class LevelFilter(ProviderChoices):
    """The levels of the provider's contract. Others are found by search."""

    title = _("level")
    parameter_name = "level"
    options = tuple((level, level) for level in ("debug", "info", "warning", "error"))


class WorkstationStatusFilter(ProviderChoices):
    """The statuses of the provider's contract."""

    title = _("last status")
    parameter_name = "status"
    options = tuple((status, status) for status in ("active", "completed", "errored"))


class WorkspaceStatusFilter(ProviderChoices):
    """The statuses of the provider's contract."""

    title = _("status")
    parameter_name = "status"
    options = tuple((status, status) for status in ("active", "archived"))


class _YesOrNo(FixedChoices):
    """Whether a column is empty."""

    column: ClassVar[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(**{f"{self.column}__isnull": self.value() == self.options[0][0]})


class LiveFilter(_YesOrNo):
    """Workstations that still run, as far as is known."""

    title = _("life")
    parameter_name = "life"
    column = "ended_at"
    options = (("live", _("Live")), ("ended", _("Ended")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows: Any = queryset
        live: QuerySet[Any] = rows.live() if self.value() == "live" else super().queryset(request, queryset)
        return live


class OrphanFilter(_YesOrNo):
    """Workstations that no request owns."""

    title = _("request")
    parameter_name = "orphan"
    column = "request"
    options = (("yes", _("None: unassigned")), ("no", _("Of a request")))


class ActorFilter(_YesOrNo):
    """Who did it."""

    title = _("actor")
    parameter_name = "actor"
    column = "actor_id"
    options = (("portal", _("The portal itself")), ("person", _("A person")))


class _OfRow(admin.SimpleListFilter):
    """Rows of one other row. Shown only where a link has chosen it, so that it costs nothing elsewhere."""

    model: ClassVar[type[Model]]
    deferred: ClassVar[tuple[str, ...]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [] if value is None else [(value, self._name_row(value))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{str(self.parameter_name): int(value)})

    def _name_row(self, value: str) -> str:
        if not (value.isascii() and value.isdigit() and int(value[:19]) <= _LARGEST_ID and len(value) <= 19):
            raise IncorrectLookupParameters
        row = self.model._default_manager.filter(pk=int(value)).defer(*self.deferred).first()
        return str(row) if row else value


class RequestFilter(_OfRow):
    """What belongs to one request."""

    title = _("request")
    parameter_name = "request"
    model = models.Request


class WorkspaceFilter(_OfRow):
    """What belongs to one workspace."""

    title = _("workspace")
    parameter_name = "workspace"
    model = models.Workspace


class RequesterFilter(_OfRow):
    """What one person asked for."""

    title = _("requester")
    parameter_name = "requester"
    model = models.User


class OwnerFilter(_OfRow):
    """What one person owns."""

    title = _("owner")
    parameter_name = "owner"
    model = models.User


class AccountFilter(_OfRow):
    """What belongs to one account."""

    title = _("account")
    parameter_name = "account"
    model = models.Account


class EventWorkspaceFilter(WorkspaceFilter):
    """Events of the requests whose workstations are in one workspace."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        newest = models.Workstation.objects.filter(workspace=int(value), request__isnull=False).order_by("-id")
        return queryset.filter(request_number__in=list(newest.values_list("request_id", flat=True)[:_MOST_REQUESTS]))


class SealFilter(_OfRow):
    """Events under one seal."""

    title = _("seal")
    parameter_name = "seal"
    model = models.Seal
    deferred = ("ids",)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        seal = models.Seal.objects.filter(pk=int(value)).values("first_id", "last_id").first()
        return queryset.filter(pk__range=(seal["first_id"], seal["last_id"])) if seal else queryset.none()


class _Exactly(admin.SimpleListFilter):
    """Rows with just this value. Shown only where a link has chosen it."""

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [] if value is None else [(value, value)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{self.column: value})


class KeyFilter(_Exactly):
    """Attempts that used one key."""

    title = _("key")
    parameter_name = "key"
    column = "key_fingerprint"


class TargetFilter(_Exactly):
    """Events of what was done to one thing."""

    title = _("target")
    parameter_name = "target"
    column = "target"
