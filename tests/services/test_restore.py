"""A backup was put back: what may have been sent since then is settled before anything is sent."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from portal import models
from portal.services.audit import verify
from portal.services.key import accounts, circuit_breaker, sharing
from portal.services.reconciliation import operator_actions, restore
from portal.services.requests import notes, submissions
from portal.services.runtime import clients
from tests import factories
from tests.services.reconciling import UNTIL_SURE, entry, make_unknown, scan, script_list, statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scan_in_every_round")]


def buy_elsewhere(requester: models.User, workspace_uid: str = "") -> str:
    """What was bought after the backup: the provider has it, the restored portal knows nothing of it."""
    reply = clients.make_client().request_workstation(type="python", workspace_id=workspace_uid or None)
    return reply.value.uid


def test_what_was_sent_after_the_backup_is_linked_and_not_bought_again(sandbox, alice, olga, lease):
    portal_request = factories.submit(alice)
    uid = buy_elsewhere(alice)
    call_command("restore", verbosity=0)
    assert factories.claim_next() is None

    scan(lease)

    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.CONFIRM)
    stored = models.Workstation.objects.get(uid=uid)
    operator_actions.adopt_workstation(actor=olga, portal_request=portal_request, workstation=stored, reason="It fits.")
    assert (statuses(portal_request), portal_request.workstation.uid) == (["SUCCEEDED"], uid)
    assert len(sandbox.record()["workstations"]) == 1


def test_what_the_lists_do_not_show_is_sent_again_only_when_a_person_says_so(sandbox, alice, bob, olga, lease):
    portal_request = factories.submit(alice)
    assert restore.restore_requests() == 1
    factories.pass_time(UNTIL_SURE)
    factories.create_workstation(bob, type="max")
    scan(lease, times=3)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.RESTORED)
    assert factories.list_events("needs-review").count() == 1
    assert factories.claim_next() is None

    operator_actions.declare_not_created(actor=alice, portal_request=portal_request)

    assert factories.send_once().value is not None
    assert len(sandbox.record()["posts"]) == 2


def test_who_no_longer_wants_it_is_asked_nothing(sandbox, alice, lease):
    portal_request = factories.submit(alice)
    restore.restore_requests()
    submissions.cancel_request(actor=alice, portal_request=portal_request)
    scan(lease, after=UNTIL_SURE, times=2)
    assert statuses(portal_request) == ["CANCELLED"]


def test_what_has_ended_stays_as_it_is_and_all_is_in_the_record(sandbox, alice, olga):
    ended = factories.submit_and_settle(alice)
    waiting = factories.submit(alice)
    assert restore.restore_requests() == 1
    assert restore.restore_requests() == 0
    ended.refresh_from_db()
    waiting.refresh_from_db()
    assert (ended.status, waiting.status, waiting.attempt_count) == ("SUCCEEDED", "UNKNOWN", 0)
    assert factories.find_event("restored").request_number == waiting.pk
    assert [event.detail for event in factories.list_events("restore").order_by("id")] == [
        {"requests": 1},
        {"requests": 0},
    ]


def test_what_was_under_way_or_unknown_in_the_backup_is_not_sent_again_either(sandbox, alice):
    unknown = make_unknown(sandbox, alice)
    under_way = factories.submit(alice)
    call = factories.claim()

    assert restore.restore_requests() == 2

    for portal_request in (unknown, under_way):
        assert statuses(portal_request) == ["UNKNOWN"]
        assert portal_request.attempts.latest("number").worker == restore.WORKER
    assert models.Attempt.objects.get(pk=call.attempt_id).outcome == "UNKNOWN"
    assert verify.verify_log(rows=True).findings == []


def test_no_number_is_told_twice(sandbox, alice):
    before = factories.submit(alice)
    newest = models.Event.objects.latest("id").pk
    restore.restore_requests()
    after = factories.submit(alice)
    assert after.pk > before.pk + 1_000
    assert models.Event.objects.filter(pk__gt=newest).earliest("id").pk > newest + 1_000


def test_the_interval_that_was_lost_is_kept(sandbox, alice):
    factories.submit_and_settle(alice)
    newest = models.Attempt.objects.get()
    restore.restore_requests()
    restored = models.Restore.objects.get()
    assert restored.lost_since == newest.claimed_at < restored.restored_at
    assert restored.lost_since_tick == newest.claimed_tick
    assert restored.restored_tick == models.Key.objects.get().tick > newest.claimed_tick + 1_000_000


def list_stranger(sandbox, uid: str, **started: timedelta) -> None:
    began = datetime.now(UTC) - started.get("ago", timedelta())
    script_list(sandbox, entry(uid, workspace=f"S-{uid}", startedAt=began.isoformat()))


def test_an_operator_takes_back_that_others_use_the_key_until_something_new_shows_it(sandbox, alice, olga, lease):
    factories.mark_baseline_scan()
    list_stranger(sandbox, "X1")
    scan(lease)
    account = accounts.get_current_account()
    sharing.clear_sharing(actor=olga, account=account)
    with pytest.raises(circuit_breaker.PauseRefused):
        sharing.clear_sharing(actor=olga, account=account)
    event = factories.find_event("clear-sharing")
    assert (event.actor_name, event.target) == ("olga", f"account {account}")
    list_stranger(sandbox, "X1")
    scan(lease)
    assert accounts.get_current_account().shared_at is None, "it was known"

    list_stranger(sandbox, "X2")
    scan(lease)
    assert accounts.get_current_account().shared_at is not None
