"""Rows that the indexes of the record find for a search in the admin: the newest of them, by their ids.

Left to themselves, lists would look for words in every row there is, once for the page and once for its count.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from portal import failures, models
from portal.admin import filters
from portal.services.search import finding

MOST = 250  # rows that a search lists
_CHOICES = {
    "status": ("status__exact", set(models.Request.Status.values)),
    "failure": ("failure", {code for code, _label in failures.CHOICES}),
}


def is_newest_first(request: HttpRequest) -> bool:
    """The order of the list: its first column, the id, is the only one that sorts it."""
    return request.GET.get("o") != "0"


def read_part(request: HttpRequest) -> finding.Slice:
    """Which end of the list is looked at; an export looks at one part after the other."""
    part: finding.Slice = getattr(request, "search_part", None) or finding.Slice(
        newest_first=is_newest_first(request), limit=MOST
    )
    return part


def find_requests(request: HttpRequest, words: list[str]) -> list[int] | None:
    """Numbers of the requests that fit the words and the filters of the list; None where these need no help."""
    asked = _read_filters(request, words)
    chosen = [asked.status, asked.type, asked.failure, asked.people is not None]
    if not words and sum(map(bool, chosen)) < 2:
        return None
    return finding.find_requests(filters=asked, part=read_part(request))


def find_by_words(request: HttpRequest, words: list[str]) -> list[int]:
    """Numbers of the requests with the words."""
    return finding.find_requests(filters=finding.Filters(words=words), part=read_part(request))


def list_ids(rows: QuerySet[Any], request: HttpRequest) -> list[int]:
    """The ids of the newest of the rows, so many as a search lists."""
    part = read_part(request)
    rows = rows.filter(pk__gt=part.above, pk__lt=part.below).order_by("-pk" if part.newest_first else "pk")
    return list(rows.values_list("pk", flat=True)[: part.limit])


def among(ids: Iterable[int]) -> Q:
    """Where the rows with the ids are."""
    return Q(pk__in=list(ids))


def find_people(word: str) -> list[int]:
    """Ids of those who have the name."""
    names = Q(username__iexact=word) | Q(first_name__iexact=word) | Q(last_name__iexact=word)
    return list(models.User.objects.filter(names).values_list("pk", flat=True)[:100])


def find_related(rows: type[Model], request: HttpRequest, words: list[str], **by: str) -> Q:
    """Where rows that belong to the requests with the words are; a single word may also be one of `by`, as it is."""
    numbers = find_by_words(request, words)
    ids = set(list_ids(rows._default_manager.filter(request_id__in=numbers), request))
    if len(words) == 1:
        for field in by.values():
            ids.update(list_ids(rows._default_manager.filter(**{field: words[0]}), request))
    return among(ids)


def _read_filters(request: HttpRequest, words: list[str]) -> finding.Filters:
    """Those of the list's filters that the index knows; Django applies all of them once more."""
    person = request.GET.get("requester", "")
    return finding.Filters(
        words=words,
        people=[int(person)] if person.isascii() and person.isdigit() and len(person) < 19 else None,
        since=filters.read_time(request.GET.get("created_at__gte", "")),
        until=filters.read_time(request.GET.get("created_at__lt", "")),
        status=_read_choice(request, "status"),
        type=request.GET.get("type__exact", ""),
        failure=_read_choice(request, "failure"),
    )


def _read_choice(request: HttpRequest, name: str) -> str:
    parameter, values = _CHOICES[name]
    value = request.GET.get(parameter, "")
    return value if value in values else ""
