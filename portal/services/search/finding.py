"""Finds requests, and workstations that ran in a period, by what a person is looking for, a page at a time.

django-filter makes one QuerySet of a form's fields. Here a page is a range of numbers that has to bound two tables, and
words choose by the numbers of which table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Q, QuerySet

from portal import models
from portal.models.workstation import RUN_DIGITS, WorkstationQuerySet
from portal.services.search import periods


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What is looked for; all of it must fit. Empty values ask for nothing.

    `people` are ids; None is everybody. `longer_than` is in seconds, from the submission to the end.
    """

    number: int | None = None
    words: Sequence[str] = ()
    status: str = ""
    type: str = ""
    failure: str = ""
    people: Sequence[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    was_unknown: bool = False
    longer_than: float | None = None


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A part of the list: the numbers between two, from one of its ends, so many at most."""

    above: int = 0
    below: int = periods.LARGEST
    newest_first: bool = True
    limit: int = 1_000

    @property
    def order(self) -> str:
        return "DESC" if self.newest_first else "ASC"


def find_requests(*, filters: Filters, part: Slice) -> list[int]:
    """The numbers of the requests that fit, in order."""
    if filters.failure and filters.status not in ("", models.Request.Status.FAILED, models.Request.Status.UNKNOWN):
        return []  # a constraint of the database: none of the others has a failure
    above, below = periods.find_bounds(
        model=models.Request, column="created_at", since=filters.since, until=filters.until
    )
    above, below = max(above, part.above), min(below, part.below)
    rows = _filter(filters)
    # PostgreSQL does not see that what bounds the requests bounds their texts.
    for key in ("pk", *(["search_entry__pk"] if filters.words else [])):
        rows = periods.bound_ids(rows=rows, key=key, above=above, below=below)
    return list(rows.order_by("-pk" if part.newest_first else "pk").values_list("pk", flat=True)[: part.limit])


def _filter(filters: Filters) -> QuerySet[models.Request]:
    conditions = {
        "pk": filters.number,
        "status": filters.status or None,
        "type": filters.type or None,
        "failure": filters.failure or None,
        "requester__in": filters.people,
        "created_at__gte": filters.since,
        "created_at__lt": filters.until,
        "was_unknown": filters.was_unknown or None,
        "took__gt": filters.longer_than,
    }
    rows = models.Request.objects.filter(**{name: value for name, value in conditions.items() if value is not None})
    for word in filters.words:
        rows = rows.filter(search_entry__words__contains=models.fold(word))
    return rows


def find_workstations(
    *, rows: WorkstationQuerySet, since: datetime | None, until: datetime | None, part: Slice
) -> list[int]:
    """The ids, in order, of those of the rows that began before the one time and had not ended before the other.

    Those that have ended are looked for by their lengths: what ran for less than 100 s began 100 s before `since` at
    most. So about ten are read for each that is found, however many there are.
    """
    find = partial(periods.find_bounds, model=models.Workstation, column="first_seen_at")
    rows = rows.filter(Q(first_seen_at__lt=until) | Q(created_at__lt=until)) if until else rows
    below = min(find(since=None, until=until)[1], part.below)
    rows = periods.bound_ids(rows=rows, key="pk", above=part.above, below=below)
    ways = [rows.running() if since else rows]
    if since:
        for digits in range(1, 10):
            above, _ = find(since=since - timedelta(seconds=10**digits), until=None)
            alike = rows.alias(digits=RUN_DIGITS).filter(digits=digits, ended_at__gte=since)
            ways.append(periods.bound_ids(rows=alike, key="pk", above=above, below=periods.LARGEST))
    order = "-pk" if part.newest_first else "pk"
    found = {pk for way in ways for pk in way.order_by(order).values_list("pk", flat=True)[: part.limit]}
    return sorted(found, reverse=part.newest_first)[: part.limit]
