"""Releases: told until the provider confirms the end, ahead of all else, and stopped by few pauses."""

import pytest
from django.db import transaction

from portal import agentstation, failures, models
from portal.db import clock
from portal.models.clock import Now
from portal.services.mirrors import releases
from portal.services.runtime import clients
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _wait_between_tries(settings) -> None:
    settings.PORTAL_RETRY_DELAY = 30.0


def ask(requester: models.User) -> models.Workstation:
    workstation = factories.create_workstation(requester)
    releases.request_release(actor=requester, workstation=workstation)
    workstation.refresh_from_db()
    return workstation


def read_wait(workstation: models.Workstation) -> float:
    workstation.refresh_from_db()
    assert workstation.release_due_at is not None
    return (workstation.release_due_at - clock.read_clock()).total_seconds()


def make_due() -> None:
    models.Workstation.objects.filter(release_requested_at__isnull=False).update(release_due_at=Now())


def pause_key(cause: str) -> None:
    models.Key.objects.update(state="PAUSED", cause=cause, paused_at=Now(), operator_only=True)


def list_verbs() -> list[str]:
    watched = ("request-release", "missing", "released", "ended")
    return list(models.Event.objects.filter(verb__in=watched).order_by("id").values_list("verb", flat=True))


def test_a_release_reaches_the_provider_and_ends_the_workstation(sandbox, alice):
    workstation = ask(alice)
    with pytest.raises(releases.NotLive):
        releases.request_release(actor=alice, workstation=workstation)

    assert len(factories.send_releases()) == 1

    assert not factories.reread(workstation).is_live
    assert sandbox.record()["workstations"][0]["status"] == "completed"
    assert list_verbs() == ["request-release", "released"]


def test_an_id_that_comes_again_meanwhile_is_released_no_more(sandbox, alice, bob):
    workstation = ask(alice)
    workstation.change(ends_at=Now(), end_set_at=Now())
    release = factories.claim_release()
    sandbox.script({"status": 200, "body": {"id": workstation.uid, "type": "python", "status": "active"}})
    assert factories.submit_and_send(bob).status == "UNKNOWN"
    releases.record_release(release=release, result=releases.Result(failure=failures.CATALOGUE["500"]))
    workstation.refresh_from_db()
    assert (workstation.is_live, workstation.release_requested_at, workstation.ends_at) == (True, None, None)
    assert models.Event.objects.get(verb="withdraw-release").request_number == workstation.request_id


@pytest.mark.parametrize("released", [False, None, "yes"])
def test_a_200_that_does_not_confirm_the_end_is_tried_again(sandbox, alice, settings, released):
    settings.PORTAL_RETRY_DELAY = 10.0
    sandbox.script({"on": "DELETE", "status": 200, "body": {"type": "python", "released": released}})
    workstation = ask(alice)
    factories.send_releases()

    assert 4 < read_wait(workstation) <= 10
    assert (workstation.is_live, workstation.release_failure) == (True, "unreadable")
    make_due()
    factories.send_releases()
    assert not factories.reread(workstation).is_live


def test_a_refused_release_is_tried_again_at_growing_intervals(sandbox, alice, settings):
    settings.PORTAL_RETRY_DELAY = 8.0
    sandbox.script({"on": "DELETE", "status": 500, "times": 9})
    workstation = ask(alice)
    for longest in (8, 16, 32, 64):
        make_due()
        factories.send_releases()
        assert longest / 2 - 1 < read_wait(workstation) <= longest
    assert (workstation.release_failure, workstation.release_tries) == ("500", 4)


def test_a_release_that_is_not_found_is_of_a_missing_one_and_goes_on(sandbox, alice):
    sandbox.script({"on": "DELETE", "status": 422})
    workstation = ask(alice)
    factories.send_releases()
    workstation.refresh_from_db()
    assert workstation.is_live
    assert workstation.missing_since is not None

    make_due()
    factories.send_releases()
    released = models.Workstation.objects.get()
    assert (released.is_live, released.missing_since) == (False, None)
    assert list_verbs() == ["request-release", "missing", "released"]


def test_a_429_to_a_release_is_obeyed_by_all_of_them_and_by_no_attempt(sandbox, alice):
    first, second = factories.create_workstation(alice), factories.create_workstation(alice)
    sandbox.script({"on": "DELETE", "status": 429, "headers": {"Retry-After": "40"}})
    releases.request_release(actor=alice, workstation=first)
    assert len(factories.send_releases()) == 1
    releases.request_release(actor=alice, workstation=second)

    assert factories.send_releases() == []
    assert 35 < read_wait(first) <= 40
    assert models.Key.objects.get().state == "ACTIVE"
    assert factories.send_until_settled(factories.submit(alice)).status == "SUCCEEDED"

    make_due()
    assert len(factories.send_releases()) == 2


def test_a_release_that_hangs_makes_the_next_wait_for_ten_seconds_at_most(sandbox, alice, settings):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 60.0
    ask(alice)
    release = factories.claim_release()
    assert release.send_before - agentstation.boottime() <= settings.PORTAL_SEND_MARGIN + 10


@pytest.mark.parametrize(
    ("cause", "is_stopped"), [*(("402", False), ("429", False), ("401", True), ("database-moved", True))]
)
def test_only_a_pause_of_the_key_itself_stops_a_release(sandbox, alice, cause, is_stopped):
    workstation = ask(alice)
    pause_key(cause)
    factories.send_releases()
    assert factories.reread(workstation).is_live is is_stopped


def test_a_release_is_claimed_by_one_worker_alone(sandbox, alice):
    ask(alice)
    claimed = crowd.run_together(*[releases.claim_release] * 4)
    assert sum(release is not None for release in claimed) == 1
    assert releases.claim_release() is None


def test_a_release_whose_worker_died_is_tried_again_past_its_deadline(sandbox, alice):
    workstation = ask(alice)
    lost = factories.claim_release()
    assert read_wait(workstation) > 60
    make_due()
    again = factories.claim_release()
    assert (again.uid, again.number) == (lost.uid, 2)

    releases.record_release(release=lost, result=releases.Result(failure=failures.NO_ANSWER))
    workstation.refresh_from_db()
    assert workstation.release_failure == ""
    assert read_wait(workstation) > 60, "the try under way is not disturbed by the one that was given up"

    result = releases.send_release(release=again, client=clients.make_client())
    releases.record_release(release=lost, result=result)
    assert not factories.reread(workstation).is_live


def test_nothing_is_sent_too_late(sandbox, alice):
    workstation = ask(alice)
    release = factories.claim_release()
    late = releases.Release(workstation_id=release.workstation_id, uid=release.uid, number=1, send_before=0.0)
    result = releases.send_release(release=late, client=clients.make_client())
    assert result == releases.Result()
    releases.record_release(release=late, result=result)
    assert read_wait(workstation) <= 0
    assert sandbox.record()["workstations"][0]["status"] == "active"


def withdraw(workstation: models.Workstation) -> None:
    with transaction.atomic():
        releases.withdraw_release(stored=workstation, reason="Its ID may be another's.")


@pytest.mark.parametrize("happen", [withdraw, lambda _: pause_key("database-moved")])
def test_what_changes_after_the_claim_stops_a_release_before_its_first_byte(sandbox, alice, happen):
    workstation = ask(alice)
    release = factories.claim_release()
    happen(workstation)
    result = releases.send_release(release=release, client=clients.make_client())
    releases.record_release(release=release, result=result)
    assert result == releases.Result()
    assert sandbox.record()["workstations"][0]["status"] == "active"
    assert factories.reread(workstation).is_live
    assert releases.claim_release() is None


# --- The pace ---


def test_under_a_pace_a_release_is_tried_once_a_minute_at_most(sandbox, alice, settings):
    settings.PORTAL_CALLS_PER_MINUTE = 10
    sandbox.script({"on": "DELETE", "status": 503})
    workstation = ask(alice)
    factories.send_releases()
    assert 55 < read_wait(workstation) <= 60
