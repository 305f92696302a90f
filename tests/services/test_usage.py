"""The counts of days: right before the duty has counted them, after it, and when what was open has ended since."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import models
from portal.services.reports import usage
from portal.services.requests import lifecycle
from portal.services.runtime import leases
from tests import factories

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2026, 3, 28, 12, tzinfo=UTC)


def create_some(alice, bob) -> None:
    factories.create_past_request(alice, LONG_AGO, seconds=31.9)
    factories.create_past_request(alice, LONG_AGO + timedelta(hours=1), status="FAILED", failure="402", type="max")
    factories.create_past_request(bob, LONG_AGO + timedelta(days=1), seconds=130)
    factories.create_past_request(bob, LONG_AGO + timedelta(days=2), status="CANCELLED")
    factories.create_past_request(bob, LONG_AGO + timedelta(days=2), status="UNKNOWN", failure="no-answer")
    factories.create_past_request(alice, timezone.now() - timedelta(seconds=50), seconds=9)
    factories.create_past_request(alice, timezone.now() - timedelta(seconds=50), status="QUEUED")


def read(person=None) -> dict[date, dict[str, dict[str, int]]]:
    """The days that have something, without empty kinds."""
    period = set(usage.list_days(since=date(2026, 3, 1), until=timezone.localdate()))
    days = usage.read_days(days=period, person=person)
    shown = {day: {kind: dict(values) for kind, values in counts.items() if values} for day, counts in days.items()}
    return {day: counts for day, counts in shown.items() if counts}


def total(person=None) -> usage.Counts:
    return usage.read_usage(since=date(2026, 3, 1), until=timezone.localdate(), person=person).total


def count_all(lease) -> int:
    rounds = 0
    while usage.count_usage(lease=lease):
        rounds += 1
        assert rounds < 20
    return rounds


def test_counted_days_say_the_same_as_uncounted_ones(alice, bob, lease):
    create_some(alice, bob)
    before = read(), read(alice), read(bob)

    assert usage.count_days(lease=lease) == 100  # a round has its bound
    assert (read(), read(alice), read(bob)) == before
    count_all(lease)
    assert (read(), read(alice), read(bob)) == before
    assert total()["status"] == Counter(SUCCEEDED=3, FAILED=1, CANCELLED=1, UNKNOWN=1, QUEUED=1)
    assert total()["type"] == Counter(python=6, max=1)
    assert total()["failure"] == Counter({"402": 1, "no-answer": 1})
    assert total()["person"] == Counter({str(alice.pk): 4, str(bob.pk): 3})
    assert total()["seconds"] == Counter({"31": 1, "120": 1, "9": 1})
    assert total(bob)["status"] == Counter(SUCCEEDED=1, CANCELLED=1, UNKNOWN=1)


def test_counted_days_are_read_from_their_rows(alice, lease):
    factories.create_past_request(alice, LONG_AGO)
    count_all(lease)
    with factories.unprotected():
        models.Request.objects.all().delete()
    assert read()[LONG_AGO.date()]["status"] == {"SUCCEEDED": 1}


def test_what_ends_after_its_day_was_counted_is_shown_and_the_day_counted_anew(alice, bob, lease):
    waiting = factories.create_past_request(alice, LONG_AGO, status="UNKNOWN", failure="no-answer")
    factories.create_past_request(bob, LONG_AGO)
    count_all(lease)
    assert read()[LONG_AGO.date()]["status"] == {"UNKNOWN": 1, "SUCCEEDED": 1}

    lifecycle.move_request(portal_request=waiting, status=models.Request.Status.CANCELLED)
    assert read()[LONG_AGO.date()]["status"] == {"CANCELLED": 1, "SUCCEEDED": 1}
    assert read(alice)[LONG_AGO.date()]["status"] == {"CANCELLED": 1}
    assert "failure" not in read()[LONG_AGO.date()]

    assert usage.count_days(lease=lease) == 1
    row = models.DailyCount.objects.get(day=LONG_AGO, person=None)
    assert (row.has_open, row.open_numbers) == (False, [])
    assert read()[LONG_AGO.date()]["status"] == {"CANCELLED": 1, "SUCCEEDED": 1}
    assert usage.count_days(lease=lease) == 0


def test_a_day_with_very_many_open_requests_waits_and_is_right_meanwhile(alice, lease, monkeypatch):
    monkeypatch.setattr(usage, "MOST_OPEN", 1)
    for _ in range(2):
        factories.create_past_request(alice, LONG_AGO, status="UNKNOWN", failure="500")
    usage.count_days(lease=lease)
    assert not models.DailyCount.objects.filter(day=LONG_AGO).exists()
    assert read()[LONG_AGO.date()]["status"] == {"UNKNOWN": 2}


def test_neither_today_nor_a_day_that_ended_less_than_an_hour_ago_is_counted(alice, lease):
    factories.create_past_request(alice, timezone.now() - timedelta(days=2))
    factories.create_past_request(alice, timezone.now())
    count_all(lease)
    counted = set(models.DailyCount.objects.filter(person=None).values_list("day", flat=True))
    assert (timezone.now() - timedelta(days=2)).date() in counted
    assert max(counted) < (timezone.now() - timedelta(hours=1)).date()


# --- Whole months ---

PERIODS = [
    (date(2026, 3, 1), date(2026, 3, 31)),
    (date(2026, 3, 1), date(2026, 3, 29)),
    (date(2026, 3, 29), date(2026, 4, 30)),
    (date(2026, 2, 15), date(2026, 5, 2)),
    (date(2026, 4, 1), date(2026, 4, 30)),
]


def create_spring(alice, bob) -> None:
    for day in (0, 1, 2, 5, 12, 40):
        factories.create_past_request(alice, LONG_AGO + timedelta(days=day), seconds=day)
    factories.create_past_request(bob, LONG_AGO + timedelta(days=3), status="FAILED", failure="402", type="max")
    factories.create_past_request(bob, LONG_AGO + timedelta(days=13), status="CANCELLED")


def read_periods(alice, bob) -> list[usage.Usage]:
    found = (
        usage.read_usage(since=since, until=until, person=person)
        for since, until in PERIODS
        for person in (None, alice, bob)
    )
    return [replace(one, statuses={day: values for day, values in one.statuses.items() if values}) for one in found]


def test_months_that_are_summed_up_say_the_same_as_their_days(alice, bob, lease):
    create_spring(alice, bob)
    before = read_periods(alice, bob)
    assert [one.total["status"].total() for one in before[::3]] == [4, 2, 6, 7, 3]
    count_all(lease)
    assert models.MonthlyCount.objects.filter(month=date(2026, 3, 1)).count() == 3
    assert read_periods(alice, bob) == before


def test_a_month_that_lies_within_the_period_is_read_from_its_row(alice, lease):
    factories.create_past_request(alice, LONG_AGO)
    count_all(lease)
    models.MonthlyCount.objects.filter(month=date(2026, 3, 1)).update(counts={"type": {"max": 99}})
    since = date(2026, 3, 1)
    for person in (None, alice):
        assert usage.read_usage(since=since, until=date(2026, 4, 2), person=person).total["type"] == Counter(max=99)
        assert usage.read_usage(since=since, until=date(2026, 3, 30), person=person).total["type"] == Counter(python=1)
        later = usage.read_usage(since=date(2026, 3, 2), until=date(2026, 4, 2), person=person)
        assert later.total["type"] == Counter(python=1)


def test_a_month_with_open_requests_is_summed_up_when_they_have_ended(alice, bob, lease):
    waiting = factories.create_past_request(alice, LONG_AGO, status="UNKNOWN", failure="no-answer")
    factories.create_past_request(bob, LONG_AGO)
    count_all(lease)
    march = models.MonthlyCount.objects.filter(month=date(2026, 3, 1))
    assert not march.exists()
    assert models.MonthlyCount.objects.filter(month=date(2026, 4, 1)).exists()
    lifecycle.move_request(portal_request=waiting, status=models.Request.Status.CANCELLED)
    count_all(lease)
    assert march.get(person=None).counts["status"] == {"SUCCEEDED": 1, "CANCELLED": 1}


def test_a_month_is_not_summed_up_before_it_is_over(alice, lease):
    """Also where pruning has left nothing of its first days."""
    first = timezone.localdate().replace(day=1)
    factories.create_past_request(alice, timezone.now() - timedelta(hours=2))
    days = usage.list_days(since=first, until=first + timedelta(days=20))
    models.DailyCount.objects.bulk_create(
        models.DailyCount(day=day, zone="elsewhere", counts={"status": {"SUCCEEDED": 1}}, is_final=True) for day in days
    )
    count_all(lease)
    assert not models.MonthlyCount.objects.filter(month=first).exists()


def test_nothing_is_summed_up_where_pruning_has_left_no_request(lease):
    """The month may go on."""
    day = timezone.localdate().replace(day=1)
    models.DailyCount.objects.create(day=day, zone="elsewhere", counts={"status": {"SUCCEEDED": 1}}, is_final=True)
    count_all(lease)
    assert not models.MonthlyCount.objects.exists()


def test_months_of_another_zone_count_for_nothing_and_are_replaced(alice, lease, settings):
    factories.create_past_request(alice, datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
    count_all(lease)
    march, april = ((date(2026, 3, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 4, 30)))

    def count(period: tuple[date, date]) -> int:
        return usage.read_usage(since=period[0], until=period[1], person=None).total["status"].total()

    assert (count(march), count(april)) == (1, 0)
    settings.TIME_ZONE = "Europe/Berlin"
    assert (count(march), count(april)) == (0, 1)
    count_all(lease)
    assert (count(march), count(april)) == (0, 1)
    assert set(models.MonthlyCount.objects.filter(month__gte=april[0]).values_list("zone")) == {("Europe/Berlin",)}


@pytest.mark.parametrize("person", [None, "alice"])
def test_many_days_that_are_not_counted_or_have_open_requests_take_no_more_queries(alice, bob, lease, person):
    reader = alice if person else None

    def count_queries(start: datetime) -> int:
        factories.create_past_request(alice, start, status="UNKNOWN", failure="no-answer")
        with CaptureQueriesContext(connection) as queries:
            read(reader)
        return len(queries)

    before = count_queries(LONG_AGO)
    assert [count_queries(LONG_AGO + timedelta(days=2 * number)) for number in range(1, 4)] == [before] * 3
    assert usage.count_days(lease=lease)
    counted = count_queries(timezone.now() - timedelta(seconds=50))
    factories.create_past_request(bob, timezone.now(), status="QUEUED")
    assert counted <= before + 2
    days, first = read(reader), LONG_AGO.date()
    assert all(days[first + timedelta(days=2 * number)]["status"] == {"UNKNOWN": 1} for number in range(4))


def test_without_requests_there_is_nothing_to_count(lease, alice):
    assert usage.count_days(lease=lease) == 0
    assert read() == read(alice) == {}


def test_days_are_those_of_the_site_s_zone_and_counted_anew_in_another(alice, lease, settings):
    factories.create_past_request(alice, datetime(2026, 3, 28, 23, 30, tzinfo=UTC))
    # The day that has an hour less in Berlin.
    factories.create_past_request(alice, datetime(2026, 3, 29, 22, 30, tzinfo=UTC))
    count_all(lease)
    assert set(read()) == {date(2026, 3, 28), date(2026, 3, 29)}

    settings.TIME_ZONE = "Europe/Berlin"
    assert set(read()) == {date(2026, 3, 29), date(2026, 3, 30)}
    count_all(lease)
    assert set(read()) == {date(2026, 3, 29), date(2026, 3, 30)}
    rows = models.DailyCount.objects.filter(day__gte=date(2026, 3, 29))
    assert set(rows.values_list("zone", flat=True)) == {"Europe/Berlin"}


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_the_duty_counts_nothing(alice, lease):
    factories.create_past_request(alice, LONG_AGO)
    models.Lease.objects.update(token=lease.token + 1)
    with pytest.raises(leases.LeaseLost):
        usage.count_days(lease=lease)
    assert not models.DailyCount.objects.exists()


@pytest.mark.parametrize(
    ("seconds", "counted"), [(0.0, 0), (0.999, 0), (1.0, 1), (119.999, 119), (120, 120), (3599, 3540), (7300, 7200)]
)
def test_times_are_exact_to_the_second_up_to_two_minutes(alice, seconds, counted):
    factories.create_past_request(alice, LONG_AGO.replace(microsecond=123001), seconds=seconds)
    assert total()["seconds"] == Counter({str(counted): 1})


@pytest.mark.django_db(transaction=True)
def test_the_time_of_real_requests_is_the_one_that_the_history_shows(sandbox, alice):
    portal_request = factories.send_until_settled(factories.submit(alice))
    assert portal_request.ended_at is not None
    took = int((portal_request.ended_at - portal_request.created_at).total_seconds())
    assert total()["seconds"] == Counter({str(took): 1})


@pytest.mark.parametrize(
    ("seconds", "half", "most"),
    [
        ({}, None, None),
        ({"7": 1}, 7, 7),
        ({"1": 1, "2": 1}, 1, 2),
        ({"10": 1, "9": 2}, 9, 10),
        ({"1": 95, "100": 5}, 1, 1),
        ({"1": 94, "100": 6}, 1, 100),
    ],
)
def test_percentiles_are_times_that_occurred(seconds, half, most):
    assert usage.find_percentile(seconds=seconds, percent=50) == half
    assert usage.find_percentile(seconds=seconds, percent=95) == most
