"""The portal verifies its audit log by itself each night, and by day where an auditor asks; it says what it finds."""

import re
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.urls import reverse

from portal import models
from portal.db import clock, triggers
from portal.services.audit import nightly
from portal.services.reports import readiness
from portal.services.runtime import leases
from tests import factories
from tests.audit.conftest import tamper

pytestmark = pytest.mark.django_db
PAGE = "/audit-log/"


def check() -> None:
    factories.acquire_lease(name="check").run(nightly.check_log)


def count_checks() -> int:
    return factories.list_events("checked").count()


@pytest.fixture
def set_time(monkeypatch):
    def set_to(hour: float) -> datetime:
        at = datetime(2031, 5, 1, tzinfo=UTC) + timedelta(hours=hour)
        monkeypatch.setattr(clock, "read_clock", lambda: at)
        return at

    return set_to


def test_a_log_that_is_as_it_was_written_is_intact(record):
    check()
    done = models.LogCheck.objects.get()
    assert (done.found, done.findings, done.is_under_way) == (0, [], False)
    assert (done.counts["events"], done.counts["seals"]) == (len(record), models.Seal.objects.count())
    assert factories.find_event("checked").detail == done.counts
    assert not any("audit log" in words for words in readiness.find_warnings())


def test_what_somebody_changed_is_an_error_a_warning_and_on_the_page(record, anna, sign_in, caplog):
    label = f"Request R-{record[1].request_number}"
    tamper("UPDATE portal_request SET type = '<b>' WHERE id = %s", record[1].request_number)
    check()
    (finding,) = models.LogCheck.objects.get().findings
    assert finding.startswith(label)
    (error,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert "not intact: 1 finding." in error.message
    assert label in error.message
    assert "The audit log is not intact: 1 finding. Run `manage.py verify_audit`." in readiness.find_warnings()
    browser = sign_in(anna)
    assert label in browser.get(PAGE).text
    assert "&lt;b&gt;" in browser.get(PAGE).text.partition("What was found")[2]
    for page in ("/overview/", "/admin/"):
        assert "Not intact: 1 finding, checked on" in " ".join(browser.get(page).text.split())


def test_a_trigger_that_is_missing_is_a_finding_and_what_the_page_keeps_is_bounded(monkeypatch):
    triggers.remove_triggers()
    monkeypatch.setattr(nightly, "MOST_KEPT", 2)
    check()
    done = models.LogCheck.objects.get()
    assert len(done.findings) == 2 < done.found
    assert all(re.fullmatch(r"The trigger portal_keep_\w+ is missing\.", words) for words in done.findings)


# --- When ---


@pytest.mark.parametrize(
    ("hours", "zone", "checks"),
    [
        ((14, 14.2, 23.9), "UTC", 1),  # the first one at once, and no other by day
        ((14, 25.1, 25.2, 29.9), "UTC", 2),  # once in the night
        ((20, 25.1), "UTC", 2),
        ((3, 5.9, 25.1), "UTC", 2),
        ((14, 38.1), "UTC", 2),  # no worker ran by night
        ((8, 15.9, 16.1), "Asia/Tokyo", 2),  # the night is that of the site
    ],
)
def test_it_is_done_once_a_night(set_time, settings, hours, zone, checks):
    settings.TIME_ZONE = zone
    for hour in hours:
        set_time(hour)
        check()
    assert count_checks() == checks


def test_an_auditor_asks_for_a_check_ten_minutes_after_the_last(anna, olga, set_time, sign_in):
    set_time(14)
    check()
    browser = sign_in(anna)
    assert "Check now" in browser.get(PAGE).text
    page = browser.post(reverse("audit_log_check"), follow=True).text
    sign_in(olga).post(reverse("audit_log_check"))
    assert "<bdi>anna</bdi> asked for a check" in page
    assert "Check now" not in page
    for hour in (14.1, 14.2, 14.4):
        set_time(hour)
        check()
    assert count_checks() == 2
    assert factories.list_events("checked").latest("id").detail["asked_by"] == "anna"
    assert "Check now" in browser.get(PAGE).text


def test_a_check_that_ends_early_is_done_again(record, set_time):
    """A worker that is told to stop ends it at the next renewal of its lease."""
    set_time(14)
    steps = count()

    def stop_in_the_midst() -> None:
        if next(steps) == 3:
            raise leases.LeaseLost("this worker ends")

    lease = leases.acquire_lease(name="check", holder="one", seconds=60, before_renewal=stop_in_the_midst)
    assert lease is not None
    with pytest.raises(leases.LeaseLost):
        lease.run(nightly.check_log)
    assert (count_checks(), nightly.read_check().is_under_way) == (0, True)
    leases.drop_leases(holder="one")
    for hour in (14.1, 14.2, 14.4):
        set_time(hour)
        check()
    assert (count_checks(), nightly.read_check().is_under_way) == (1, False)


def test_two_days_without_a_check_are_a_warning(set_time):
    began = set_time(14)
    check()
    assert nightly.find_warnings(now=began + timedelta(hours=47)) == []
    (words,) = nightly.find_warnings(now=began + timedelta(hours=49))
    assert words == "The audit log has not been checked since 2031-05-01 14:00 UTC."
