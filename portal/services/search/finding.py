"""Finds requests by what a person is looking for, a page at a time.

django-filter makes one QuerySet of a form's fields. Here a page is a range of numbers that has to bound two tables, and
words choose by the numbers of which table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from portal import models
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
    # By the numbers of the texts, where words are looked for: SQLite's full-text index has them in this order. And by
    # those of both tables: PostgreSQL does not see that what bounds the one bounds the other.
    key = "search_entry__pk" if filters.words else "pk"
    rows = _filter(filters)
    for name in dict.fromkeys(("pk", key)):
        rows = periods.bound_ids(rows=rows, key=name, above=above, below=below)
    return list(rows.order_by(f"-{key}" if part.newest_first else key).values_list(key, flat=True)[: part.limit])


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
        rows = rows.filter(search_entry__words__has=word)
    return rows
