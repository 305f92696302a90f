"""Usage: how many requests there were on each day, of which kind and by whom.

Counting a million requests takes seconds, so finished days are counted once, by a duty, into `models.DailyCount`: a row
for everybody and one for each person who requested something. A page reads one row a day and adds them up.

The numbers are exact at every moment, for three reasons. A request belongs to the day on which it was made, and that
never changes. A request that has ended never changes either; those that had not ended when their day was counted are
named in the day's row, and looked at as they are when a page is read, until the duty has counted the day anew. A day
that is not counted, such as today, is counted while a page waits, through the index on the time of creation.

Days are days of the site's zone. Rows that were counted under another zone count for nothing and are replaced. But a
day of which requests were pruned is final: it is not counted anew, in whatever zone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Func, IntegerField, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from portal import models
from portal.services import accounts, clock, leases

KINDS = ("status", "type", "failure", "person", "seconds")
# Times to ready are counted by the second up to here, then by the minute, from an hour on in steps of ten minutes.
EXACT_SECONDS = 120
_MARGIN = timedelta(hours=1)  # after its end a day is not counted yet: a transaction may still be open
_MOST_OPEN = 1000  # requests that have not ended; a day with more is counted later
_MOST_DAYS = 100  # counted in one round

# For each kind the number of requests with each value.
type Numbers = Mapping[str, Mapping[str, int]]
type Counts = dict[str, Counter[str]]


class SecondsBetween(Func):
    """Whole seconds from the second time to the first, rounded down."""

    output_field = IntegerField()
    template, arg_joiner = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint", " - "

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """There times are texts to the millisecond, and a difference made by Django costs ten times as much."""
        days = "(JULIANDAY(%(expressions)s))"
        template = f"CAST(ROUND({days} * 86400000) AS INTEGER) / 1000"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") - JULIANDAY(", **extra)


def read_days(*, since: date, until: date, person: models.User | None) -> dict[date, Numbers]:
    """The counts of each day of the period that has any, by one person or (None) by everybody; sum them up to use them.

    A kind that has no numbers may be missing from a day.
    """
    rows = models.DailyCount.objects.filter(_is_valid(), day__range=(since, until))
    counted = set(rows.filter(person=None).values_list("day", flat=True))
    first = _find_first_day() or until
    uncounted = [day for day in _list_days(since=max(since, first), until=until) if day not in counted]
    found = list(rows.filter(person=person).values_list("day", "counts", "open_numbers"))
    still_open = [number for _day, _counts, numbers in found for number in numbers]
    more = _count_by_day(models.Request.objects.filter(pk__in=still_open)) if still_open else {}
    if uncounted:
        requests = models.Request.objects.filter(**_within(uncounted[0], uncounted[-1]))
        if person is not None:
            # Each of the days is asked whose it is: by the person SQLite would find all that they ever requested.
            requests = requests.alias(whose=F("requester") + 0).filter(whose=person.pk)
        waiting = _count_by_day(requests)
        more |= {day: counts for day, counts in waiting.items() if day not in counted}
    # One that was counted meanwhile is among those that wait.
    days: dict[date, Numbers] = {day: counts for day, counts, _numbers in found if day in counted}
    for day, people in more.items():
        days[day] = sum_counts(counts=[days.get(day, {}), *people.values()])
    return days


def sum_counts(*, counts: Iterable[Numbers], kinds: Iterable[str] = KINDS) -> Counts:
    """Several counts in one, of some kinds or of all."""
    total: Counts = {kind: Counter() for kind in kinds}
    for one in counts:
        for kind, sums in total.items():
            if kind in one:
                sums.update(one[kind])
    return total


def find_percentile(*, seconds: Mapping[str, int], percent: int) -> int | None:
    """The shortest time within which so many of a hundred were ready; None where there are none."""
    rank = -(-sum(seconds.values()) * percent // 100)
    for value, count in sorted((int(value), count) for value, count in seconds.items()):
        rank -= count
        if rank <= 0:
            return value
    return None


def count_days(*, held: leases.Held) -> int:
    """Count finished days that are not counted, and anew those where a request has ended since. Returns how many."""
    days = [*_find_uncounted(), *_find_changed()]
    return sum(_count_day(day=day, held=held) for day in days[:_MOST_DAYS])


def _find_uncounted() -> list[date]:
    first = _find_first_day()
    if first is None:
        return []
    now = clock.read_clock(account=accounts.get_current_account())
    last = (now - _MARGIN).astimezone(timezone.get_default_timezone()).date() - timedelta(days=1)
    rows = models.DailyCount.objects.filter(_is_valid(), person=None)
    counted = set(rows.values_list("day", flat=True))
    return [day for day in _list_days(since=first, until=last) if day not in counted]


def _find_changed() -> Iterator[date]:
    rows = models.DailyCount.objects.filter(zone=settings.TIME_ZONE, person=None, has_open=True)
    for day, numbers in rows.values_list("day", "open_numbers"):
        if models.Request.objects.filter(pk__in=numbers, ended_at__isnull=False).exists():
            yield day


def _count_day(*, day: date, held: leases.Held) -> bool:
    requests = models.Request.objects.filter(**_within(day, day))
    # First of all: whatever ends while the others are counted is still taken for open. So this needs no transaction.
    still_open = dict(requests.filter(ended_at=None).values_list("pk", "requester")[: _MOST_OPEN + 1])
    if len(still_open) > _MOST_OPEN:
        return False
    ended = _count_by_day(requests.exclude(pk__in=still_open)).get(day, {})
    rows = [_make_row(day=day, person_id=None, counts=sum_counts(counts=ended.values()), numbers=list(still_open))]
    for person_id in ended.keys() | set(still_open.values()):
        numbers = [number for number, requester in still_open.items() if requester == person_id]
        counts = sum_counts(counts=[ended.get(person_id, {})])
        rows.append(_make_row(day=day, person_id=person_id, counts=counts, numbers=numbers))
    with transaction.atomic():
        leases.check_lease(held=held)
        models.DailyCount.objects.filter(day=day).delete()
        models.DailyCount.objects.bulk_create(rows)
    return True


def _make_row(*, day: date, person_id: int | None, counts: Counts, numbers: list[int]) -> models.DailyCount:
    return models.DailyCount(
        day=day,
        zone=settings.TIME_ZONE,
        person_id=person_id,
        counts={kind: values for kind, values in counts.items() if values},
        open_numbers=numbers,
        has_open=bool(numbers),
    )


def _count_by_day(requests: QuerySet[models.Request]) -> dict[date, dict[int, Counts]]:
    """Of each day and person. Counted in the database: as many rows come back as there are different combinations."""
    days: dict[date, dict[int, Counts]] = defaultdict(lambda: defaultdict(lambda: sum_counts(counts=[])))
    day = TruncDate("created_at", tzinfo=timezone.get_default_timezone())
    requests = requests.order_by().annotate(day=day)
    combinations = requests.values_list("day", "requester", "status", "type", "failure")
    for day, person, *values, number in combinations.annotate(number=Count("pk")):
        for kind, value in zip(KINDS, [*values, str(person)], strict=False):
            if value:
                days[day][person][kind][value] += number
    # Of all that have ended: by a status SQLite would find all of the record's.
    ended = requests.filter(ended_at__isnull=False).annotate(seconds=SecondsBetween("ended_at", "created_at"))
    times = ended.values_list("day", "requester", "status", "seconds")
    for day, person, status, seconds, number in times.annotate(number=Count("pk")):
        if status == models.Request.Status.SUCCEEDED:
            days[day][person]["seconds"][str(_coarsen(seconds))] += number
    return {day: dict(people) for day, people in days.items()}


def _coarsen(seconds: int) -> int:
    """Rounded down to what is counted, so that a day has a few hundred different times at most."""
    step = 1 if seconds < EXACT_SECONDS else 60 if seconds < 3600 else 600
    return seconds - seconds % step


def get_day(*, at: datetime) -> date:
    """The day to which a request belongs that was made then."""
    return at.astimezone(timezone.get_default_timezone()).date()


def find_settled_days(*, days: Iterable[date]) -> set[date]:
    """Those that are counted, and of whose requests none is open: nothing will change their counts."""
    rows = models.DailyCount.objects.filter(_is_valid(), person=None, has_open=False, day__in=set(days))
    return set(rows.values_list("day", flat=True))


def close_days(*, days: Iterable[date]) -> None:
    """Never count these settled days anew: requests of theirs go. In the transaction in which they go."""
    models.DailyCount.objects.filter(day__in=set(days), is_final=False).update(is_final=True)


def _is_valid() -> Q:
    return Q(zone=settings.TIME_ZONE) | Q(is_final=True)


def _find_first_day() -> date | None:
    first = models.Request.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return get_day(at=first) if first else None


def _list_days(*, since: date, until: date) -> Iterator[date]:
    for number in range((until - since).days + 1):
        yield since + timedelta(days=number)


def _within(first: date, last: date) -> dict[str, datetime]:
    zone = timezone.get_default_timezone()
    start, end = (datetime.combine(one, time.min, tzinfo=zone) for one in (first, last + timedelta(days=1)))
    return {"created_at__gte": start, "created_at__lt": end}
