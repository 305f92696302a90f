"""Finds requests, and workstations that ran in a period, by what a person is looking for, a page at a time.

django-filter makes one QuerySet of a form's fields. Here a page is a range of numbers that has to bound two tables, and
words choose by the numbers of which table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Q

from portal import models
from portal.models.workstation import RUN_DIGITS, WorkstationQuerySet
from portal.services.search import periods


@dataclass(frozen=True, kw_only=True)
class Slice:
    above: int = 0
    below: int = periods.LARGEST
    newest_first: bool = True
    limit: int = 1_000

    @property
    def order(self) -> str:
        return "-pk" if self.newest_first else "pk"


def find_requests(*, lookups: Mapping[str, Any], words: Sequence[str] = (), part: Slice) -> list[int]:
    states = models.Request.Status
    if lookups.get("failure") and lookups.get("status", states.FAILED) not in (states.FAILED, states.UNKNOWN):
        return []  # a constraint of the database: none of the others has a failure
    since, until = lookups.get("created_at__gte"), lookups.get("created_at__lt")
    above, below = periods.find_bounds(model=models.Request, column="created_at", since=since, until=until)
    above, below = max(above, part.above), min(below, part.below)
    rows = models.Request.objects.filter(**lookups)
    for word in words:
        rows = rows.filter(search_entry__words__contains=models.fold(word))
    # PostgreSQL does not see that what bounds the requests bounds their texts.
    for key in ("pk", *(["search_entry__pk"] if words else [])):
        rows = periods.bound_ids(rows=rows, key=key, above=above, below=below)
    return list(rows.order_by(part.order).values_list("pk", flat=True)[: part.limit])


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
    found = {pk for way in ways for pk in way.order_by(part.order).values_list("pk", flat=True)[: part.limit]}
    return sorted(found, reverse=part.newest_first)[: part.limit]
