"""Ends: counted from the success, announced twice, carried out by a release, and changed until that is sent."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.models import F

from portal import models
from portal.db import clock
from portal.services.audit import verify
from portal.services.lives import ends
from portal.services.mirrors import releases
from portal.services.reconciliation import operator_actions
from portal.services.reports import readiness
from tests import factories
from tests.browser import read

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 60.0  # minutes
REASON = "A demonstration."


def read_left(workstation: models.Workstation) -> int:
    """Minutes until its end; the test itself may have taken some seconds."""
    workstation.refresh_from_db()
    assert workstation.ends_at is not None
    return round((workstation.ends_at - clock.read_clock()).total_seconds() / 60 + 0.3)


def list_warnings(workstation: models.Workstation) -> list[tuple[str, int]]:
    events = models.Event.objects.filter(verb="warn-end", request_number=workstation.request_id).order_by("id")
    return [(event.detail["why"], event.detail["warning"]) for event in events]


def is_released(workstation: models.Workstation) -> bool:
    workstation.refresh_from_db()
    return workstation.release_requested_at is not None


@pytest.mark.parametrize(("lifetime", "left"), [("2h", 120), ("10m", 10), ("7d", 7 * 24 * 60)])
def test_a_life_begins_with_the_success(time, alice, lifetime, left):
    portal_request = factories.submit(alice, lifetime=lifetime)
    time.sleep(hours=1)
    factories.send_until_settled(portal_request)
    assert read_left(portal_request.workstation) == left


@pytest.mark.parametrize("lifetime", ["none", ""])
def test_one_without_an_end_goes_on(time, alice, lifetime):
    workstation = factories.create_workstation(alice, lifetime=lifetime)
    time.pass_by(minutes=3 * HOUR)
    workstation.refresh_from_db()
    assert (workstation.ends_at, workstation.release_requested_at) == (None, None)
    unending = models.Workstation.objects.filter(ends.is_unending())
    assert not unending.exists()
    models.Workstation.objects.update(first_seen_at=clock.read_clock() - timedelta(hours=25))
    assert unending.get() == workstation


def test_an_adopted_one_lives_from_its_adoption(time, sandbox, alice, olga):
    found = factories.create_workstation(olga)
    portal_request = factories.submit(alice, lifetime="2h")
    models.Workstation.objects.update(request=None)
    factories.update(
        portal_request, status="UNKNOWN", was_unknown=True, failure="no-answer", operator_note="Undecided."
    )
    time.sleep(hours=5)
    operator_actions.adopt_workstation(actor=olga, portal_request=portal_request, workstation=found, reason=REASON)
    assert read_left(found) == 120


def test_it_is_announced_twice_and_then_released(time, sandbox, alice):
    workstation = factories.create_workstation(alice, lifetime="2h")
    time.pass_by(minutes=89)
    assert list_warnings(workstation) == []
    time.pass_by(minutes=2)
    assert list_warnings(workstation) == [("lifetime", 1)]
    time.pass_by(minutes=23)
    assert list_warnings(workstation) == [("lifetime", 1)]
    time.pass_by(minutes=2)
    assert list_warnings(workstation) == [("lifetime", 1), ("lifetime", 2)]
    time.pass_by(minutes=3)
    assert not is_released(workstation)
    time.pass_by(minutes=2)
    assert is_released(workstation)
    assert workstation.release_requested_by is None

    factories.send_releases()

    assert not factories.reread(workstation).is_live
    assert sandbox.record()["workstations"][0]["status"] == "completed"
    event = factories.find_event("request-release")
    assert (event.actor_name, event.reason) == ("", "The end of its lifetime was reached.")
    assert not verify.verify_log(rows=True).findings


def test_a_worker_that_has_just_started_waits_for_five_minutes(time, alice):
    workstation = factories.create_workstation(alice, lifetime="2h")
    time.pass_by(minutes=116)
    assert len(list_warnings(workstation)) == 2
    time.sleep(hours=1)
    time.start_worker()
    time.look()
    time.pass_by(minutes=4)
    assert not is_released(workstation)
    time.pass_by(minutes=2)
    assert is_released(workstation)


def test_workers_that_restart_all_the_time_still_end_it(time, alice):
    workstation = factories.create_workstation(alice, lifetime="2h")
    time.pass_by(minutes=116)
    for is_over in (False, False, False, False, True):
        time.start_worker()
        time.look()
        time.sleep(seconds=65)
        time.look()
        assert is_released(workstation) is is_over


def test_what_is_ten_minutes_over_its_end_is_shown(time, sandbox, alice, olga, sign_in):
    factories.create_workstation(alice, lifetime="2h")
    time.sleep(hours=2)
    assert not any("should have ended" in warning for warning in readiness.find_warnings())
    time.sleep(seconds=700)
    assert any("should have ended" in warning for warning in readiness.find_warnings())
    assert "Over their end" in read(sign_in(olga).get("/overview/"))


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_of_the_clock_changes_no_life(time, alice, hours):
    workstation = factories.create_workstation(alice, lifetime="2h")
    time.pass_by(minutes=30)
    time.step(3600 * hours)
    set_since = factories.create_workstation(alice, lifetime="2h")
    time.look()
    assert (read_left(workstation), read_left(set_since)) == (90, 120)
    time.pass_by(minutes=59)
    assert list_warnings(workstation) == []
    time.pass_by(minutes=29)
    assert not is_released(workstation)
    time.pass_by(minutes=3)
    assert (is_released(workstation), is_released(set_since)) == (True, False)


def test_a_step_is_added_though_it_has_ended_the_lease(time, alice):
    workstation = factories.create_workstation(alice, lifetime="8h")
    time.pass_by(minutes=1)
    time.step(3600)
    models.Lease.objects.update(holder="another worker", token=F("token") + 1)
    time.look()
    assert read_left(workstation) == 8 * HOUR - 1


@pytest.mark.parametrize("statement", ['INSERT INTO "portal_event"', 'UPDATE "portal_workstation"'])
def test_a_step_is_added_though_the_database_fails_at_first(time, alice, statement):
    workstation = factories.create_workstation(alice, lifetime="8h")
    time.pass_by(minutes=1)
    time.step(3600)

    def fail(execute: Any, sql: str, *others: Any) -> Any:
        if sql.startswith(statement):
            raise OperationalError("database is locked")
        return execute(sql, *others)

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        time.look()
    time.pass_by(minutes=2)
    assert read_left(workstation) == 8 * HOUR - 3


def test_a_step_within_a_round_ends_nothing(time, alice):
    workstation = factories.create_workstation(alice, lifetime="2h")
    time.pass_by(minutes=91)
    assert list_warnings(workstation) == [("lifetime", 1)]
    time.step_in_next_round(3600)
    time.pass_by(minutes=1)
    assert not is_released(workstation)
    time.pass_by(minutes=1)
    assert (is_released(workstation), read_left(workstation)) == (False, 27.0)


def test_its_owner_adds_two_hours_to_it(time, alice):
    workstation = factories.create_workstation(alice, lifetime="2h")
    time.pass_by(minutes=100)
    assert len(list_warnings(workstation)) == 1
    ends.extend_life(actor=alice, workstation=workstation)
    assert read_left(workstation) == 140
    time.pass_by(minutes=109)
    assert len(list_warnings(workstation)) == 1
    time.pass_by(minutes=2)
    assert len(list_warnings(workstation)) == 2
    event = factories.find_event("set-end")
    assert (event.actor_name, event.request_number) == ("alice", workstation.request_id)
    assert event.detail["before"]["ends_at"] < event.detail["after"]["ends_at"]
    assert not verify.verify_log(rows=True).findings


def test_who_presses_before_the_release_is_sent_has_kept_it(time, alice):
    workstation = factories.create_workstation(alice, lifetime="10m")
    time.pass_by(minutes=12)
    assert is_released(workstation)
    ends.extend_life(actor=alice, workstation=workstation)
    assert (is_released(workstation), read_left(workstation)) == (False, 120)
    assert releases.claim_release() is None

    time.pass_by(minutes=112)
    time.pass_by(minutes=10)
    assert is_released(workstation)
    factories.claim_release()
    with pytest.raises(ends.NotChanged, match="already being released"):
        ends.extend_life(actor=alice, workstation=workstation)
    assert not verify.verify_log(rows=True).findings


@pytest.mark.parametrize("minutes", [4, 8.9, 9.5])
def test_who_presses_while_the_job_is_at_it_has_kept_it(time, alice, minutes):
    workstation = factories.create_workstation(alice, lifetime="10m")
    time.pass_by(minutes=minutes)
    time.sleep(90)
    time.look(meanwhile=lambda: ends.extend_life(actor=alice, workstation=workstation))
    assert (is_released(workstation), workstation.end_warnings) == (False, 0)
    assert read_left(workstation) > 100


def test_a_release_that_a_person_asked_for_is_not_taken_back(time, alice, bob):
    workstation = factories.create_workstation(alice, lifetime="2h")
    releases.request_release(actor=alice, workstation=workstation)
    for change in (ends.extend_life, lambda **values: ends.change_end(lifetime="2h", **values)):
        with pytest.raises(ends.NotChanged):
            change(actor=alice, workstation=workstation)


def test_no_end_is_later_than_the_longest_life_from_now_on(time, alice, olga):
    factories.set_policy(lifetimes="2h 8h", lifetime="2h")
    workstation = factories.create_workstation(alice, lifetime="8h")
    for lifetime in ("9h", "none"):
        ends.change_end(actor=alice, workstation=workstation, lifetime=lifetime)
        assert read_left(workstation) == 8 * HOUR
    time.pass_by(minutes=HOUR)
    ends.extend_life(actor=alice, workstation=workstation)
    assert read_left(workstation) == 8 * HOUR
    ends.change_end(actor=alice, workstation=workstation, lifetime="2h")
    assert read_left(workstation) == 2 * HOUR
    ends.change_end(actor=olga, workstation=workstation, lifetime="7d", reason=REASON)
    assert read_left(workstation) == 7 * 24 * HOUR
    ends.change_end(actor=olga, workstation=workstation, lifetime="none", reason=REASON)
    workstation.refresh_from_db()
    assert workstation.ends_at is None
    assert factories.list_events("set-end").latest("id").reason == REASON
    ends.change_end(actor=olga, workstation=workstation, lifetime="7d", reason=REASON)
    with pytest.raises(ends.NotChanged, match="No later end"):
        ends.extend_life(actor=alice, workstation=workstation)


def test_after_a_restore_nothing_ends_within_half_an_hour(time, sandbox, alice, bob):
    near = factories.create_workstation(alice, lifetime="10m")
    far = factories.create_workstation(alice, lifetime="8h")
    asked = factories.create_workstation(bob, lifetime="8h")
    releases.request_release(actor=bob, workstation=asked)
    time.pass_by(minutes=12)
    assert is_released(near)

    call_command("restore", verbosity=0)

    assert [is_released(row) for row in (near, far, asked)] == [False, False, True]
    assert read_left(near) == 30
    assert read_left(far) > 7 * HOUR
    before = len(list_warnings(near))
    time.pass_by(minutes=29)
    assert len(list_warnings(near)) > before
    assert not is_released(near)
    time.pass_by(minutes=3)
    assert is_released(near)
    assert not verify.verify_log(rows=True).findings


def test_an_older_database_ends_nothing_that_was_kept(time, sandbox, alice, settings):
    settings.USING_SANDBOX = False
    workstation = factories.create_workstation(alice, lifetime="10m")
    time.pass_by(minutes=9.5)
    tick, before = models.Key.objects.get().tick, models.Workstation.objects.values("ends_at", "end_warnings").get()
    ends.extend_life(actor=alice, workstation=workstation)
    time.look()
    models.Workstation.objects.update(**before)
    models.Key.objects.update(tick=tick)

    time.pass_by(minutes=20)

    assert not is_released(workstation)
    assert models.Key.objects.get().cause == models.DATABASE_MOVED


# --- Its page ---


def test_what_the_portal_releases_can_be_kept_on_its_page_until_that_is_sent(time, sandbox, sign_in, alice):
    workstation = factories.create_workstation(alice, lifetime="10m")
    browser, page = sign_in(alice), f"/workstations/{workstation.uid}/"
    time.pass_by(minutes=12)
    shown = read(browser.get(page))
    assert "its end was reached" in shown
    assert "Keep 2 h longer" in shown
    browser.post(f"{page}end/", {"longer": "2h"})
    assert read_left(workstation) == 120
    time.pass_by(minutes=112)
    time.pass_by(minutes=10)
    factories.claim_release()
    shown = read(browser.get(page))
    assert "its end was reached" in shown
    assert "Keep 2 h longer" not in shown
