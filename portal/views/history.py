"""One page of the history: which requests, and where its links lead."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from portal import forms, models

PAGE_SIZE = 50
_PAGE_KEYS = ("before", "after")


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One filter in force; the link removes it."""

    label: str
    value: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the template needs. `newer` and `older` are links, empty where there is nothing more."""

    form: forms.FilterForm
    requests: list[models.Request]
    chips: list[Chip]
    newer: str
    older: str


def read_page(*, user: models.User, query: QueryDict) -> Page:
    """The page that the query asks for. A filter that cannot be read is said beside its field and gives no requests."""
    form = forms.FilterForm(query, with_person=user.has_perm("portal.see_all"))
    valid = form.is_valid()
    values = form.cleaned_data if valid else {}
    rows = _read_rows(models.Request.objects.visible_to(user), values=values) if valid else []
    shown = {name: str(query[name]) for name in form.fields if query.get(name) and name not in _PAGE_KEYS}
    newer, older = _find_neighbours(rows, values=values)
    return Page(
        form=form,
        requests=rows[:PAGE_SIZE],
        chips=_list_chips(form, shown=shown) if valid else [],
        newer=f"?{urlencode(shown | newer)}" if newer else "",
        older=f"?{urlencode(shown | older)}" if older else "",
    )


def read_rows(*, user: models.User, numbers: str) -> list[models.Request]:
    """Those of the numbers, with commas between them, that the person may see: a page at most, newest first."""
    wanted = [int(word) for word in numbers.split(",") if word.isascii() and word.isdigit() and len(word) < 19]
    rows = models.Request.objects.visible_to(user).filter(pk__in=wanted[:PAGE_SIZE])
    return list(rows.select_related("requester").order_by("-id"))


def _read_rows(rows: models.request.RequestQuerySet, *, values: Mapping[str, Any]) -> list[models.Request]:
    """A page and one more, newest first, by the number at its edge: as fast deep in the history as at its start."""
    rows = _filter(rows, values=values).select_related("requester")
    if values["after"] is not None:
        return list(reversed(rows.filter(pk__gt=values["after"]).order_by("id")[:PAGE_SIZE]))
    if values["before"] is not None:
        rows = rows.filter(pk__lt=values["before"])
    return list(rows.order_by("-id")[: PAGE_SIZE + 1])


def _filter(rows: models.request.RequestQuerySet, *, values: Mapping[str, Any]) -> models.request.RequestQuerySet:
    exact = {name: values[name] for name in ("status", "type", "failure") if values[name]}
    if values.get("person"):
        exact["requester__username__iexact"] = values["person"]
    if values["since"]:
        exact["created_at__gte"] = _start_of(values["since"])
    if values["until"]:
        exact["created_at__lt"] = _start_of(values["until"] + timedelta(days=1))
    return rows.filter(**exact)


def _start_of(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _find_neighbours(rows: list[models.Request], *, values: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """The keys of the newer and the older page."""
    if not rows:
        return {}, {}
    went_up = values["after"] is not None
    has_newer = values["before"] is not None or (went_up and len(rows) == PAGE_SIZE)
    has_older = went_up or len(rows) > PAGE_SIZE
    shown = rows[:PAGE_SIZE]
    return {"after": shown[0].pk} if has_newer else {}, {"before": shown[-1].pk} if has_older else {}


def _list_chips(form: forms.FilterForm, *, shown: Mapping[str, str]) -> list[Chip]:
    return [
        Chip(
            label=str(form.fields[name].label),
            value=str(dict(getattr(form.fields[name], "choices", [])).get(value, value)),
            link=f"?{urlencode({other: text for other, text in shown.items() if other != name})}",
        )
        for name, value in shown.items()
    ]
