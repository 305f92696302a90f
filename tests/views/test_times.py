"""Times in the zone of the person who reads them, told as people say them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.formats import date_format

from portal import models
from portal.templatetags import ui
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
ROME = ZoneInfo("Europe/Rome")
NOON = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def at(text: str, zone: ZoneInfo = ROME) -> datetime:
    """A moment of UTC on a clock of the zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(zone)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("2026-11-25 12:00:00", "just now"),
        ("2026-11-25 11:59:01", "just now"),
        ("2026-11-25 12:00:59", "just now"),  # a provider's clock that is ahead
        ("2026-11-25 11:59:00", "1 minute ago"),
        ("2026-11-25 11:58:00", "2 minutes ago"),
        ("2026-11-25 11:00:01", "59 minutes ago"),
        ("2026-11-25 11:00:00", "1 hour ago"),
        ("2026-11-24 23:00:00", "13 hours ago"),  # midnight in Rome
        ("2026-11-24 22:59:59", "yesterday, 23:59"),
        ("2026-11-23 23:00:00", "yesterday, 00:00"),
        ("2026-11-23 22:59:59", "23 Nov, 23:59"),
        ("2025-12-31 23:00:00", "1 Jan, 00:00"),
        ("2025-12-31 22:59:59", "31 Dec 2025"),
        ("2026-11-25 12:01:00", "25 Nov, 13:01"),  # ahead
        ("2027-01-02 12:00:00", "2 Jan 2027"),
    ],
)
def test_a_time_is_told_as_people_say_it(time, words):
    assert ui.say_when(at(time), now=NOON.astimezone(ROME)) == words


@pytest.mark.parametrize(
    ("time", "now", "words"),
    [
        ("2026-10-25 00:59:30", "2026-10-25 01:01:30", "2 minutes ago"),  # 02:59 in summer, 02:01 in winter
        ("2026-10-25 00:30:00", "2026-10-25 01:30:00", "1 hour ago"),  # both 02:30
        ("2026-03-29 00:59:00", "2026-03-29 01:01:00", "2 minutes ago"),  # 01:59 in winter, 03:01 in summer
        ("2026-10-24 21:30:00", "2026-10-25 23:30:00", "24 Oct, 23:30"),  # a day of 25 hours lies between
        ("2026-11-24 22:50:00", "2026-11-24 23:05:00", "15 minutes ago"),  # midnight does
    ],
)
def test_midnight_and_the_hour_that_comes_twice_or_not_at_all_change_no_distance(time, now, words):
    assert ui.say_when(at(time), now=at(now)) == words


def list_formats() -> set[str]:
    files = [path for folder in ("templates", "portal") for path in (ROOT / folder).rglob("*.*ml")]
    files += (ROOT / "portal").rglob("*.py")
    return {found for path in files for found in re.findall(r'"((?:j M|H:i)[jMYHisT,: ]*)"', path.read_text())}


@pytest.mark.parametrize("time", ["2026-01-02T03:04:05", "2026-10-25T23:59:59", "1987-12-31T00:00:00"])
def test_an_exact_time_is_said_as_django_says_it(time):
    local = datetime.fromisoformat(time).replace(tzinfo=ROME)
    for form in list_formats():
        assert ui.draw_moment(local, now=local, format=form).endswith(f">{date_format(local, form)}</time>"), form


@pytest.mark.parametrize("stored", ["", "Mars/Olympus", "../secret", "Europe", "x" * 64])
def test_a_zone_that_is_not_known_here_is_the_portal_s(settings, stored):
    settings.TIME_ZONE = "Asia/Tokyo"
    assert models.User(time_zone=stored).zone == timezone.get_default_timezone()
    assert models.User(time_zone="Europe/Rome").zone == ROME


# --- The zone of a person ---


def test_a_person_chooses_a_zone_and_sees_times_in_it(sign_in, alice, bob):
    portal_request = factories.submit(alice)
    browser = sign_in(alice)
    assert 'Times are in <a href="/accounts/">UTC' in browser.get("/").text

    page = browser.post("/accounts/", {"time_zone": "Asia/Kolkata"}, follow=True).text
    assert "Times are shown in Asia/Kolkata from now on." in page
    assert "<option selected>Asia/Kolkata</option>" in page
    page = browser.get(f"/requests/{portal_request.pk}/").text
    assert 'Times are in <a href="/accounts/">Asia/Kolkata' in page
    assert "+05:30" in page
    # The same thread serves what comes next, and people who have chosen none.
    assert timezone.get_current_timezone_name() == "UTC"
    assert "Asia/Kolkata" not in sign_in(bob).get("/").text
    event = factories.find_event("set-time-zone")
    assert (event.actor_name, event.detail) == ("alice", {"before": "", "after": "Asia/Kolkata"})


def test_a_zone_that_is_not_in_the_list_is_refused_and_one_not_known_any_more_breaks_no_page(sign_in, alice):
    browser = sign_in(alice)
    for zone in ("US/Eastern", "Etc/GMT+5", "nonsense"):
        response = browser.post("/accounts/", {"time_zone": zone})
        assert (response.status_code, "This is not in the list." in response.text) == (200, True)
    assert models.User.objects.get(pk=alice.pk).time_zone == ""
    assert not factories.list_events("set-time-zone").exists()
    factories.update(alice, time_zone="Mars/Olympus")
    for path in ("/", "/accounts/"):
        assert "Times are in" in browser.get(path).text


def test_a_probe_of_the_server_s_health_asks_nobody_s_zone(sign_in, alice, django_assert_num_queries):
    browser = sign_in(alice)
    with django_assert_num_queries(0):
        assert browser.get("/healthz").status_code == 200
