"""The counts of days: before the job has counted them, and after it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from portal import models
from portal.services.reports import usage
from portal.services.requests import lifecycle
from portal.services.runtime import leases
from tests import factories, queries

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
    days = usage.read_usage(since=date(2026, 3, 1), until=timezone.localdate(), person=person)
    shown = {day: {kind: dict(values) for kind, values in counts.items() if values} for day, counts in days.items()}
    return {day: counts for day, counts in shown.items() if counts}


def total(person=None) -> usage.Counts:
    days = usage.read_usage(since=date(2026, 3, 1), until=timezone.localdate(), person=person)
    return usage.sum_counts(counts=days.values())


def count_all(lease) -> int:
    rounds = 0
    while lease.run(usage.count_days):
        rounds += 1
        assert rounds < 20
    return rounds


def test_counted_days_say_the_same_as_uncounted_ones(alice, bob, lease):
    create_some(alice, bob)
    before = read(), read(alice), read(bob)

    assert lease.run(usage.count_days) == 100  # a round has its bound
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


def test_a_day_is_counted_once_all_its_requests_have_ended_and_right_meanwhile(alice, bob, lease):
    waiting = factories.create_past_request(alice, LONG_AGO, status="UNKNOWN", failure="no-answer")
    factories.create_past_request(bob, LONG_AGO)
    count_all(lease)
    assert not models.DailyCount.objects.filter(day=LONG_AGO).exists()
    assert read()[LONG_AGO.date()]["status"] == {"UNKNOWN": 1, "SUCCEEDED": 1}

    lifecycle.move_request(portal_request=waiting, status=models.Request.Status.CANCELLED)
    assert read()[LONG_AGO.date()]["status"] == {"CANCELLED": 1, "SUCCEEDED": 1}
    assert read(alice)[LONG_AGO.date()]["status"] == {"CANCELLED": 1}
    assert "failure" not in read()[LONG_AGO.date()]

    assert lease.run(usage.count_days) == 1
    assert models.DailyCount.objects.filter(day=LONG_AGO).count() == 3
    assert read()[LONG_AGO.date()]["status"] == {"CANCELLED": 1, "SUCCEEDED": 1}
    assert lease.run(usage.count_days) == 0


def test_neither_today_nor_a_day_that_ended_less_than_an_hour_ago_is_counted(alice, lease):
    factories.create_past_request(alice, timezone.now() - timedelta(days=2))
    factories.create_past_request(alice, timezone.now())
    count_all(lease)
    counted = set(models.DailyCount.objects.filter(person=None).values_list("day", flat=True))
    assert (timezone.now() - timedelta(days=2)).date() in counted
    assert max(counted) < (timezone.now() - timedelta(hours=1)).date()


@pytest.mark.parametrize("person", [None, "alice"])
def test_many_days_that_are_not_counted_or_have_open_requests_take_no_more_queries(alice, bob, lease, person):
    reader = alice if person else None

    def count_queries(start: datetime) -> int:
        factories.create_past_request(alice, start, status="UNKNOWN", failure="no-answer")
        return len(queries.record(lambda: read(reader)))

    before = count_queries(LONG_AGO)
    assert [count_queries(LONG_AGO + timedelta(days=2 * number)) for number in range(1, 4)] == [before] * 3
    assert lease.run(usage.count_days)
    factories.create_past_request(bob, timezone.now(), status="QUEUED")
    assert count_queries(timezone.now() - timedelta(seconds=50)) == before + 1
    days, first = read(reader), LONG_AGO.date()
    assert all(days[first + timedelta(days=2 * number)]["status"] == {"UNKNOWN": 1} for number in range(4))


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
        lease.run(usage.count_days)
    assert not models.DailyCount.objects.exists()


@pytest.mark.parametrize(
    ("seconds", "counted"), [(0.0, 0), (0.999, 0), (1.0, 1), (119.999, 119), (120, 120), (3599, 3540), (7300, 7200)]
)
def test_times_are_exact_to_the_second_up_to_two_minutes(alice, seconds, counted):
    factories.create_past_request(alice, LONG_AGO.replace(microsecond=123001), seconds=seconds)
    assert total()["seconds"] == Counter({str(counted): 1})


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
