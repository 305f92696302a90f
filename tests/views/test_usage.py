"""The page of usage: whose requests, which period, and that every number leads to the requests that it counts."""

from datetime import datetime, timedelta
from html import unescape

import pytest
from django.utils import timezone

from portal import models
from portal.services.key import accounts
from portal.views.components import charts
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


def days_ago(days: int) -> datetime:
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=1) - timedelta(days=days)


@pytest.fixture
def busy_month(alice, bob) -> None:
    for days in (0, 3, 3, 20):
        factories.create_past_request(alice, days_ago(days))
    factories.create_past_request(alice, days_ago(3), status="FAILED", failure="402", type="max")
    factories.create_past_request(bob, days_ago(3), status="UNKNOWN", failure="no-answer")
    factories.create_past_request(bob, days_ago(8), status="CANCELLED", type="voip")
    factories.create_past_request(bob, days_ago(8), status="QUEUED")
    factories.create_past_request(bob, days_ago(100), status="FAILED", failure="500")


def read_figures(response) -> dict[str, int]:
    return {str(name): number for name, _link, number in response.context["figures"]}


def test_who_sees_all_sees_everybody_s_and_others_their_own(sign_in, busy_month, alice, bob, anna):
    everybody = sign_in(anna).get("/usage/")
    own = sign_in(alice).get("/usage/")

    figures = {"Requests": 8, "Ready": 4, "Failed": 1, "Checking": 1, "Cancelled": 1, "Under way": 1}
    assert read_figures(everybody) == figures
    assert read_figures(own)["Requests"] == 5
    assert [(name, number) for name, _link, number in everybody.context["people"]] == [("alice", 5), ("bob", 3)]
    assert own.context["people"] is None
    assert "bob" not in own.text
    assert own.context["ready_usually"] == own.context["ready_mostly"] == 30
    assert "30 s" in own.text


@pytest.mark.parametrize(("days", "zone"), [(365, "UTC"), (7, "Asia/Tokyo")])
def test_every_number_is_that_of_the_requests_behind_its_link(sign_in, settings, busy_month, anna, days, zone):
    """Days are those of the portal's zone, whatever the reader's is."""
    settings.TIME_ZONE = zone
    factories.update(anna, time_zone="America/New_York")
    browser = sign_in(anna)
    context = browser.get(f"/usage/?days={days}").context
    numbered = [(column.link, column.total) for column in context["chart"].columns]
    for name in ("figures", "types", "failures", "people"):
        numbered += [(link, number) for _name, link, number in context[name] if link]

    assert len(numbered) > 10
    for link, number in numbered:
        page = browser.get(link).context["page"]
        assert not page.form.errors, link
        assert len(page.requests) == number, link


def test_a_period_from_one_day_to_another(sign_in, busy_month, anna):
    browser, today = sign_in(anna), timezone.localdate()
    since, until = today - timedelta(days=8), today - timedelta(days=3)
    periods = {f"since={since}&until={until}": 6, f"since={since}": 7, f"since={until}&until={until}": 4}
    for period, number in periods.items():
        assert read_figures(browser.get(f"/usage/?{period}"))["Requests"] == number


@pytest.mark.parametrize(
    ("query", "words"),
    [
        *((f"days={odd}", "Choose the last 7, 30, 90 or 365 days") for odd in ("8", "%00")),
        *((query, "This is not a date.") for query in ("since=yesterday", "since=2026-02-31", "days=7&since=x")),
        ("until=2026-01-01", "Enter the first day."),
        ("since=9999-12-31", "from 1970 to 2199"),
        ("since=2026-01-01&until=2199-12-31", "This day is in the future."),
        ("since=2026-02-02&until=2026-02-01", "The end must not be before the beginning."),
        ("since=2001-01-01", "A period can be two years at most."),
    ],
)
def test_a_period_that_cannot_be_read_is_said_and_the_last_30_days_are_shown(sign_in, alice, query, words):
    response = sign_in(alice).get(f"/usage/?{query}")
    assert response.status_code == 200
    page = unescape(response.text)
    assert words in page
    assert "This period can't be shown" in page
    assert len(response.context["chart"].columns) == 30


def test_live_workstations_are_counted(sign_in, alice, bob, anna):
    account = accounts.get_current_account()
    other = models.Account.objects.create(base_url="https://elsewhere.example/v1")
    for person, values in ((alice, {}), (bob, {}), (bob, {"ended_at": timezone.now()}), (bob, {"account": other})):
        portal_request = factories.create_past_request(person, days_ago(0))
        rows.create_workstation(portal_request, **{"account": account} | values)
    assert sign_in(alice).get("/usage/").context["live"] == 1
    assert sign_in(anna).get("/usage/").context["live"] == 2


@pytest.mark.parametrize(
    ("most", "ticks"),
    [(0, [1, 0]), (1, [1, 0]), (5, [5, 4, 3, 2, 1, 0]), (6, [6, 4, 2, 0]), (423, [500, 400, 300, 200, 100, 0])],
)
def test_the_scale_has_round_steps_and_reaches_the_largest_column(most, ticks):
    assert charts.list_ticks(most=most) == ticks
