"""Usage: how many requests there were on each day, of which kind and by whom, and how long one usually takes.

A request belongs to the day on which it was made, and one that has ended never changes: so a day of which all requests
have ended is counted once, by a job, into `models.DailyCount`, a row for everybody and one for each person. All other
days, such as today, are counted while a page waits.

Days are days of the site's zone. Rows that were counted under another zone count for nothing and are replaced. But a
day of which requests were pruned is final: it is not counted anew, in whatever zone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal import models
from portal.db import clock
from portal.services.runtime import leases

KINDS = ("status", "type", "failure", "person", "seconds")
# Times to ready are counted by the second up to here, then by the minute, from an hour on in steps of ten minutes.
EXACT_SECONDS = 120
_MARGIN = timedelta(hours=1)  # after its end a day is not counted yet: a transaction may still be open
_MOST_DAYS = 100  # counted in one round
_SAMPLE, _FEWEST = 100, 5  # requests, of which a typical duration is read

# For each kind the number of requests with each value.
type Numbers = Mapping[str, Mapping[str, int]]
type Counts = dict[str, Counter[str]]


def read_usage(*, since: date, until: date, person: models.User | None) -> dict[date, Numbers]:
    """The counts of each day that has any, by one person or (None) by everybody. A day may lack kinds without
    numbers."""
    days = set(list_days(since=since, until=until))
    rows = models.DailyCount.objects.filter(_is_valid(), day__in=days)
    counted = set(rows.filter(person=None).values_list("day", flat=True))
    found: dict[date, Numbers] = dict(rows.filter(person=person, day__in=counted).values_list("day", "counts"))
    first = _find_first_day() or date.max
    if uncounted := sorted(day for day in days if day >= first and day not in counted):
        requests = models.Request.objects.filter(_within(uncounted))
        more = _count_by_day(requests if person is None else requests.filter(requester=person))
        found |= {day: sum_counts(counts=people.values()) for day, people in more.items()}
    return found


def sum_counts(*, counts: Iterable[Numbers]) -> Counts:
    """The sums by kind and key."""
    total: Counts = {kind: Counter() for kind in KINDS}
    for one in counts:
        for kind, numbers in one.items():
            total[kind].update(numbers)
    return total


def find_percentile(*, seconds: Mapping[str, int], percent: int) -> int | None:
    """The shortest time within which so many of a hundred were ready; None where there are none."""
    rank = -(-sum(seconds.values()) * percent // 100)
    for value, count in sorted((int(value), count) for value, count in seconds.items()):
        rank -= count
        if rank <= 0:
            return value
    return None


def read_typical_duration(*, account: models.Account) -> float | None:
    """Seconds within which eight in ten of the last hundred were ready; None where there are too few to say."""
    ready = models.Request.objects.filter(status=models.Request.Status.SUCCEEDED, account=account)
    last = ready.order_by("-id").values_list("took", flat=True)[:_SAMPLE]
    took = sorted(seconds for seconds in last if seconds is not None)
    return took[(len(took) * 8 - 1) // 10] if len(took) >= _FEWEST else None


def count_days() -> int:
    """Count days that are over, and of whose requests none is open any more. Returns how many."""
    first = _find_first_day()
    if first is None:
        return 0
    last = get_day(at=clock.read_clock() - _MARGIN) - timedelta(days=1)
    counted = models.DailyCount.objects.filter(_is_valid(), person=None).values_list("day", flat=True)
    still_open = models.Request.objects.filter(ended_at=None).values_list("created_at", flat=True)
    left_out = {*counted, *(get_day(at=created_at) for created_at in still_open)}
    days = [day for day in list_days(since=first, until=last) if day not in left_out][:_MOST_DAYS]
    for day in days:
        _count_day(day=day)
    return len(days)


def _count_day(*, day: date) -> None:
    people = _count_by_day(models.Request.objects.filter(_within([day]))).get(day, {})
    with leases.transaction():
        models.DailyCount.objects.filter(day=day).delete()
        models.DailyCount.objects.bulk_create(
            models.DailyCount(
                day=day,
                zone=settings.TIME_ZONE,
                person_id=person,
                counts={kind: numbers for kind, numbers in one.items() if numbers},
            )
            for person, one in [(None, sum_counts(counts=people.values())), *people.items()]
        )


def _count_by_day(requests: QuerySet[models.Request]) -> dict[date, dict[int, Counts]]:
    days: dict[date, dict[int, Counts]] = defaultdict(lambda: defaultdict(lambda: sum_counts(counts=[])))
    rows = requests.order_by().values_list("created_at", "ended_at", "requester", "status", "type", "failure")
    for created_at, ended_at, person, *values in rows:
        counts = days[get_day(at=created_at)][person]
        for kind, value in zip(KINDS, [*values, str(person)], strict=False):
            if value:
                counts[kind][value] += 1
        if ended_at and values[0] == models.Request.Status.SUCCEEDED:
            seconds = int((ended_at - created_at).total_seconds())
            # Rounded down, so that a day has a few hundred different times at most.
            step = 1 if seconds < EXACT_SECONDS else 60 if seconds < 3600 else 600
            counts["seconds"][str(seconds - seconds % step)] += 1
    return days


def get_day(*, at: datetime) -> date:
    """The day of a moment in the site's time zone."""
    return at.astimezone(timezone.get_default_timezone()).date()


def find_settled_days(*, days: Iterable[date]) -> set[date]:
    """Those that are counted: nothing will change their counts."""
    rows = models.DailyCount.objects.filter(_is_valid(), person=None, day__in=set(days))
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
    """Each day from the first to the last, both included."""
    for number in range((until - since).days + 1):
        yield since + timedelta(days=number)


def _within(days: Iterable[date]) -> Q:
    """Made on one of the days, which are sorted: a condition for each row of days without a gap."""
    runs: list[tuple[date, date]] = []
    for day in days:
        following = day + timedelta(days=1)
        begun = runs.pop()[0] if runs and runs[-1][1] == day else day
        runs.append((begun, following))
    within, zone = Q(), timezone.get_default_timezone()
    for begun, end in runs:
        start, stop = (datetime.combine(one, time.min, tzinfo=zone) for one in (begun, end))
        within |= Q(created_at__gte=start, created_at__lt=stop)
    return within
