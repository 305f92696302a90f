"""Rows that the indexes of the audit log find for a search in the admin: the newest of them, by their ids.

Left to themselves, lists would look for words in every row there is, once for the page and once for its count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from portal import failures, models
from portal.admin.base import filters
from portal.services.search import finding

MOST = 250  # rows that a search lists
_CHOICES = {
    "status": ("status__exact", set(models.Request.Status.values)),
    "failure": ("failure", {code for code, _label in failures.CHOICES}),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an address asks of a list: the words of its search beside its filters, in one part of the rows."""

    query: QueryDict
    words: Sequence[str]
    part: finding.Slice


def read_search(query: QueryDict, text: str) -> Asked:
    """What is looked for, at the end of the list that is shown. Raises UnreadableSearch."""
    part = finding.Slice(newest_first=is_newest_first(query), limit=MOST)
    return Asked(query=query, words=models.read_words(text), part=part)


def is_newest_first(query: QueryDict) -> bool:
    """The order of the list: its first column, the id, is the only one that sorts it."""
    return query.get("o") != "0"


def find_requests(asked: Asked) -> list[int] | None:
    """Numbers of the requests that fit the words and the filters of the list; None where these need no help.

    Raises UnreadableSearch.
    """
    models.check_words(asked.words)
    chosen = _read_filters(asked)
    if not asked.words and sum(map(bool, (chosen.status, chosen.type, chosen.failure, chosen.people is not None))) < 2:
        return None
    return finding.find_requests(filters=chosen, part=asked.part)


def find_by_words(asked: Asked) -> list[int]:
    """Numbers of the requests with the words. Raises UnreadableSearch."""
    models.check_words(asked.words)
    return finding.find_requests(filters=finding.Filters(words=asked.words), part=asked.part)


def list_ids(rows: QuerySet[Any], part: finding.Slice) -> list[int]:
    """The ids of the rows of the part, in its order."""
    rows = rows.filter(pk__gt=part.above, pk__lt=part.below).order_by("-pk" if part.newest_first else "pk")
    return list(rows.values_list("pk", flat=True)[: part.limit])


def among(ids: Iterable[int]) -> Q:
    """Where the rows with the ids are."""
    return Q(pk__in=list(ids))


def find_people(word: str) -> list[int]:
    """Ids of those who have the name."""
    names = Q(username__iexact=word) | Q(first_name__iexact=word) | Q(last_name__iexact=word)
    return list(models.User.objects.filter(names).values_list("pk", flat=True)[:100])


def find_related(rows: type[Model], asked: Asked, **by: str) -> Q:
    """Where rows that belong to the requests with the words are; a single word may also be one of `by`, as it is."""
    ids = set(list_ids(rows._default_manager.filter(request_id__in=find_by_words(asked)), asked.part))
    if len(asked.words) == 1:
        for field in by.values():
            ids.update(list_ids(rows._default_manager.filter(**{field: asked.words[0]}), asked.part))
    return among(ids)


def _read_filters(asked: Asked) -> finding.Filters:
    """Those of the list's filters that the index knows; Django applies all of them once more."""
    person = asked.query.get("requester", "")
    return finding.Filters(
        words=asked.words,
        people=[int(person)] if person.isascii() and person.isdigit() and len(person) < 19 else None,
        since=filters.read_time(asked.query.get("created_at__gte", "")),
        until=filters.read_time(asked.query.get("created_at__lt", "")),
        status=_read_choice(asked.query, "status"),
        type=asked.query.get("type__exact", ""),
        failure=_read_choice(asked.query, "failure"),
    )


def _read_choice(query: QueryDict, name: str) -> str:
    parameter, values = _CHOICES[name]
    value = query.get(parameter, "")
    return value if value in values else ""
