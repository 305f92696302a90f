"""Usage: how many requests there were on each day, of which kind and by whom.

Counting a million requests takes seconds, so finished days are counted once, by a job, into `models.DailyCount`: a row
for everybody and one for each person who requested something. A page reads one row a day and adds them up. Whole months
of which nothing is open any more are summed up once, into `models.MonthlyCount`: of their days a page reads the states
alone.

The numbers are exact at every moment, for three reasons. A request belongs to the day on which it was made, and that
never changes. A request that has ended never changes either; those that had not ended when their day was counted are
named in the day's row, and looked at as they are when a page is read, until the job has counted the day again. A day
that is not counted, such as today, is counted while a page waits, through the index on the time of creation.

Days are days of the site's zone. Rows that were counted under another zone count for nothing and are replaced. But a
day of which requests were pruned is final: it is not counted anew, in whatever zone.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Func, IntegerField, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from portal import models
from portal.db import clock
from portal.services.runtime import leases

KINDS = ("status", "type", "failure", "person", "seconds")
# Times to ready are counted by the second up to here, then by the minute, from an hour on in steps of ten minutes.
EXACT_SECONDS = 120
_MARGIN = timedelta(hours=1)  # after its end a day is not counted yet: a transaction may still be open
MOST_OPEN = 1000  # requests that have not ended; a day with more is counted later
_MOST_DAYS, _MOST_MONTHS = 100, 4  # counted in one round

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


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a period's requests were: all of them, and how many there were on each day by their status."""

    total: Counts
    statuses: Mapping[date, Mapping[str, int]]


def read_usage(*, since: date, until: date, person: models.User | None) -> Usage:
    """The usage of a period, by one person or (None) by everybody."""
    months = _read_months(since=since, until=until, person=person)
    summed = {day for month in months for day in list_days(since=month, until=_end(month))}
    rows = models.DailyCount.objects.filter(_is_valid(), person=person, day__in=summed)
    statuses = {day: status or {} for day, status in rows.values_list("day", "counts__status")}
    days = read_days(days=set(list_days(since=since, until=until)) - summed, person=person)
    statuses |= {day: counts.get("status", {}) for day, counts in days.items()}
    return Usage(total=sum_counts(counts=[*months.values(), *days.values()]), statuses=statuses)


def _read_months(*, since: date, until: date, person: models.User | None) -> dict[date, Numbers]:
    """The counts of those that lie within the period and are summed up."""
    rows = models.MonthlyCount.objects.filter(zone=settings.TIME_ZONE, month__range=(since, until))
    # Everybody's with the person's: only where there is the one, the other is missing because there was nothing.
    found = rows.filter(Q(person=None) | Q(person=person)).order_by(F("person").asc(nulls_first=True))
    months: dict[date, Numbers] = {}
    for month, person_id, counts in found.values_list("month", "person", "counts"):
        if _end(month) <= until:
            months[month] = counts if person is None or person_id is not None else {}
    return months


def read_days(*, days: Collection[date], person: models.User | None) -> dict[date, Numbers]:
    """The counts of each of the days that has any, by one person or (None) by everybody.

    A kind that has no numbers may be missing from a day.
    """
    rows = models.DailyCount.objects.filter(_is_valid(), day__in=days)
    counted = set(rows.filter(person=None).values_list("day", flat=True))
    first = _find_first_day() or date.max
    uncounted = sorted(day for day in days if day >= first and day not in counted)
    found = list(rows.filter(person=person).values_list("day", "counts", "open_numbers"))
    still_open = [number for _day, _counts, numbers in found for number in numbers]
    more = _count_by_day(models.Request.objects.filter(pk__in=still_open)) if still_open else {}
    if uncounted:
        requests = models.Request.objects.filter(**_within(uncounted[0], uncounted[-1]))
        if person is not None:
            # Each of the days is asked whose it is: by the person SQLite would find all that they ever requested.
            requests = requests.alias(whose=F("requester") + 0).filter(whose=person.pk)
        waiting = _count_by_day(requests)
        more |= {day: waiting[day] for day in uncounted if day in waiting}
    # One that was counted meanwhile is among those that wait.
    read: dict[date, Numbers] = {day: counts for day, counts, _numbers in found if day in counted}
    for day, people in more.items():
        read[day] = sum_counts(counts=[read.get(day, {}), *people.values()])
    return read


def sum_counts(*, counts: Iterable[Numbers]) -> Counts:
    """Several counts in one."""
    total: Counts = {kind: Counter() for kind in KINDS}
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


def count_usage(*, lease: leases.Lease) -> int:
    """Count days, and sum up the months that are complete by them. Returns how many of both; 0 where all is done."""
    return count_days(lease=lease) + sum_months(lease=lease)


def count_days(*, lease: leases.Lease) -> int:
    """Count finished days that are not counted, and anew those where a request has ended since. Returns how many."""
    days = _find_uncounted()
    rows = models.DailyCount.objects.filter(zone=settings.TIME_ZONE, person=None, has_open=True)
    days += [
        day
        for day, numbers in rows.values_list("day", "open_numbers")
        if models.Request.objects.filter(pk__in=numbers, ended_at__isnull=False).exists()
    ]
    return sum(_count_day(day=day, lease=lease) for day in days[:_MOST_DAYS])


def sum_months(*, lease: leases.Lease) -> int:
    """Sum up months that are complete. Returns how many."""
    months = _find_complete_months()[:_MOST_MONTHS]
    for month in months:
        _sum_month(month=month, lease=lease)
    return len(months)


def _find_complete_months() -> list[date]:
    """Those that are not summed up, of whose days all are counted and none has open requests. Oldest first."""
    first = _find_first_day()
    if first is None:
        return []
    rows = models.DailyCount.objects.filter(_is_valid(), person=None, has_open=False)
    settled = set(rows.values_list("day", flat=True))
    summed = models.MonthlyCount.objects.filter(zone=settings.TIME_ZONE, person=None)
    months = {day.replace(day=1) for day in settled} - set(summed.values_list("month", flat=True))
    # Of days before the first that has a request, those that had any are counted for good.
    needed = {month: list_days(since=max(month, first), until=_end(month)) for month in months}
    return sorted(month for month, days in needed.items() if settled.issuperset(days))


@transaction.atomic
def _sum_month(*, month: date, lease: leases.Lease) -> None:
    leases.renew_lease(lease=lease)
    days = models.DailyCount.objects.filter(_is_valid(), day__range=(month, _end(month)))
    numbers: dict[int | None, list[Numbers]] = defaultdict(list)
    for person_id, counts in days.values_list("person", "counts"):
        numbers[person_id].append(counts)
    sums = {person_id: sum_counts(counts=counts) for person_id, counts in numbers.items()}
    # Those that were counted by another zone.
    models.MonthlyCount.objects.filter(month=month).delete()
    models.MonthlyCount.objects.bulk_create(
        models.MonthlyCount(month=month, zone=settings.TIME_ZONE, person_id=person_id, counts=counts)
        for person_id, counts in sums.items()
    )


def _find_uncounted() -> list[date]:
    first = _find_first_day()
    if first is None:
        return []
    now = clock.read_clock()
    last = (now - _MARGIN).astimezone(timezone.get_default_timezone()).date() - timedelta(days=1)
    rows = models.DailyCount.objects.filter(_is_valid(), person=None)
    counted = set(rows.values_list("day", flat=True))
    return [day for day in list_days(since=first, until=last) if day not in counted]


def _count_day(*, day: date, lease: leases.Lease) -> bool:
    requests = models.Request.objects.filter(**_within(day, day))
    # First of all: whatever ends while the others are counted is still taken for open. So this needs no transaction.
    still_open = dict(requests.filter(ended_at=None).values_list("pk", "requester")[: MOST_OPEN + 1])
    if len(still_open) > MOST_OPEN:
        return False
    ended = _count_by_day(requests.exclude(pk__in=still_open)).get(day, {})
    rows = [_make_row(day=day, person_id=None, counts=sum_counts(counts=ended.values()), numbers=list(still_open))]
    for person_id in ended.keys() | set(still_open.values()):
        numbers = [number for number, requester in still_open.items() if requester == person_id]
        counts = sum_counts(counts=[ended.get(person_id, {})])
        rows.append(_make_row(day=day, person_id=person_id, counts=counts, numbers=numbers))
    with transaction.atomic():
        leases.renew_lease(lease=lease)
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
    # Of all that have ended: by a status SQLite would find all of the audit log's.
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
    # Asked first, by an index: the rows of a day are many, and most batches meet days that are closed already.
    rows = models.DailyCount.objects.filter(is_final=False)
    still_open = list(rows.filter(person=None, day__in=set(days)).values_list("day", flat=True))
    if still_open:
        rows.filter(day__in=still_open).update(is_final=True)


def _is_valid() -> Q:
    return Q(zone=settings.TIME_ZONE) | Q(is_final=True)


def _find_first_day() -> date | None:
    first = models.Request.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return get_day(at=first) if first else None


def list_days(*, since: date, until: date) -> Iterator[date]:
    """All days from the one to the other."""
    for number in range((until - since).days + 1):
        yield since + timedelta(days=number)


def _end(month: date) -> date:
    """Its last day."""
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _within(first: date, last: date) -> dict[str, datetime]:
    zone = timezone.get_default_timezone()
    start, end = (datetime.combine(one, time.min, tzinfo=zone) for one in (first, last + timedelta(days=1)))
    return {"created_at__gte": start, "created_at__lt": end}
