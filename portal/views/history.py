"""One page of the history: which requests, and where its links lead."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.forms import Form
from django.http import QueryDict

from portal import forms, models
from portal.services.mirrors import types
from portal.services.search import finding, paging

_PAGE_KEYS = ("before", "after")
_SHOWN = ("status", "operator_note", "failure", "type", "workspace_uid", "created_at", "ended_at")


class Chip(NamedTuple):
    label: str
    value: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """`turned` leads to the other order; links elsewhere take `query` along to get the same requests."""

    form: forms.RequestFilterForm
    requests: list[models.Request]
    chips: list[Chip]
    newest_first: bool
    turned: str
    newer: str
    older: str
    query: str


def read_page(*, user: models.User, query: QueryDict) -> Page:
    """A filter that cannot be read is said beside its field and gives no requests."""
    form = read_form(user=user, query=query)
    valid = form.is_valid()
    newest_first = not valid or form.cleaned_data["sort"] != "oldest"
    edges = {name: form.cleaned_data[name] for name in _PAGE_KEYS} if valid else {}
    find_ids = partial(find, user, form) if valid else lambda _part: list[int]()
    found = paging.read_page(find=find_ids, newest_first=newest_first, **edges)
    rows = _narrow(models.Request.objects.with_end().filter(pk__in=found.rows), user=user)
    shown = read_shown(form, query=query)
    unsorted = {name: value for name, value in shown.items() if name != "sort"}
    return Page(
        form=form,
        requests=list(rows.order_by("-id" if newest_first else "id")),
        chips=_list_chips(form, shown=shown) if valid else [],
        newest_first=newest_first,
        turned=f"?{urlencode(unsorted | ({'sort': 'oldest'} if newest_first else {}))}",
        newer=f"?{urlencode(shown | {'after': found.newer})}" if found.newer else "",
        older=f"?{urlencode(shown | {'before': found.older})}" if found.older else "",
        query=urlencode(shown),
    )


def read_form(*, user: models.User, query: QueryDict) -> forms.RequestFilterForm:
    return forms.RequestFilterForm(query, types=types.list_known_types(), with_person=user.sees_all)


def read_shown(form: Form, *, query: QueryDict) -> dict[str, str]:
    return {name: str(query[name]) for name in form.fields if query.get(name) and name not in _PAGE_KEYS}


def read_rows(*, user: models.User, numbers: str) -> list[models.Request]:
    """Those of the numbers that the person may see: a page at most, newest first. `numbers` has commas."""
    wanted = [number for word in numbers.split(",") if (number := models.parse_id(word)) is not None]
    rows = models.Request.objects.visible_to(user).filter(pk__in=wanted[: paging.PAGE_SIZE])
    return list(_narrow(rows.with_end(), user=user).order_by("-id"))


def find(user: models.User, form: forms.RequestFilterForm, part: paging.Slice) -> list[int]:
    values, (since, until) = form.cleaned_data, form.read_moments()
    people = values["person"] if user.sees_all else [user.pk]
    lookups = {
        "pk": values["number"],
        "status": values["status"] or None,
        "type": values["type"] or None,
        "failure": values["failure"] or None,
        "requester__in": people,
        "created_at__gte": since,
        "created_at__lt": until,
        "was_unknown": bool(values["unknown"]) or None,
        "took__gt": values["longer"],
    }
    asked = {lookup: value for lookup, value in lookups.items() if value is not None}
    return finding.find_requests(lookups=asked, words=values["words"], part=part)


def _narrow(rows: QuerySet[models.Request], *, user: models.User) -> QuerySet[models.Request]:
    if not user.sees_all:
        return rows.only(*_SHOWN)
    return rows.select_related("requester").only(*_SHOWN, *(f"requester__{name}" for name in models.User.NAMES))


def _list_chips(form: forms.RequestFilterForm, *, shown: Mapping[str, str]) -> list[Chip]:
    return [
        Chip(
            str(form.fields[name].label),
            form.describe(name=name, value=value),
            f"?{urlencode({other: text for other, text in shown.items() if other != name})}",
        )
        for name, value in shown.items()
        if name != "sort"
    ]
