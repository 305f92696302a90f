"""Orders of events in which something could be bought twice, given to the wrong person, or wait for ever."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as present
from django.db import transaction

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, sharing
from portal.services.reconciliation import completeness, operator_actions, restore, scans
from portal.services.requests import dispatch, notes, results, submissions
from portal.services.runtime import clients, leases
from tests import factories
from tests.concurrency import crowd
from tests.services.reconciling import (
    ACTIVE,
    ask,
    deny,
    entry,
    made,
    make_witness,
    scan,
    script_list,
    send_late,
    statuses,
    take_as_not_created,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scan_in_every_round")]


# --- Named late, while the request is being sent again ---


@pytest.fixture
def named_late(sandbox, alice, lease, recovering) -> tuple[models.Request, dispatch.Call]:
    """A request whose first attempt named its workstation only when the second was under way."""
    portal_request, first, result = send_late(sandbox, alice, recovering)
    take_as_not_created(sandbox, alice, lease)
    call = factories.claim()
    results.record_result(call=first, result=result)
    assert models.Workstation.objects.get(made_for=portal_request).uid == factories.get_named(result).uid
    return portal_request, call


@pytest.mark.parametrize("has_ended", [True, False])
def test_what_was_named_late_before_the_first_byte_is_taken_and_not_asked_for_again(sandbox, named_late, has_ended):
    portal_request, call = named_late
    posts = len(sandbox.record()["posts"])
    if has_ended:
        models.Workstation.objects.filter(made_for=portal_request).update(ended_at=Now())
    factories.finish(call)
    assert statuses(portal_request) == ["SUCCEEDED"]
    assert len(sandbox.record()["posts"]) == posts
    assert factories.claim_next(worker="w") is None


@pytest.mark.parametrize("is_late", [False, True])
def test_what_was_named_late_comes_before_a_refusal_of_the_next_call(sandbox, alice, lease, recovering, is_late):
    portal_request, first, result = send_late(sandbox, alice, recovering)
    take_as_not_created(sandbox, alice, lease)
    sandbox.script({"name": "fail-422"})
    second = factories.claim()
    refused = factories.send(second)
    factories.record(first, result)
    assert statuses(portal_request) == ["SENDING"]
    if is_late:
        factories.make_overdue(second)
        factories.expire_overdue(lease=recovering)
    factories.record(second, refused)
    assert statuses(portal_request) == ["SUCCEEDED"]
    assert portal_request.workstation.uid == factories.get_named(result).uid


@pytest.mark.parametrize("is_queued", [True, False])
def test_a_late_200_that_names_anothers_is_for_an_operator(sandbox, alice, bob, lease, recovering, is_queued):
    owned = factories.create_workstation(bob)
    sandbox.script({"status": 200, "body": entry(owned.uid, workspace=factories.get_workspace(owned).uid)})
    portal_request, call, result = send_late(sandbox, alice, recovering)
    if is_queued:
        deny(lease, witness_of=bob)
        assert statuses(portal_request) == ["QUEUED"]
    results.record_result(call=call, result=result)
    assert factories.claim_next(worker="w") is None
    deny(lease, witness_of=bob)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.OTHERS)


# --- Swapped ---


def test_a_workspace_is_not_given_away_while_a_request_is_sent_again_that_may_have_it(sandbox, alice, bob, lease):
    first = ask(sandbox, alice, "reset", workspace_uid="new-space")
    deny(lease, witness_of=bob)
    assert statuses(first) == ["QUEUED"]

    second = factories.submit(bob, workspace_uid="new-space")

    factories.claim()
    assert factories.claim_next(worker="w") is None
    assert statuses(first, second) == ["SENDING", "QUEUED"]


# --- Witnesses ---


@pytest.mark.parametrize("faults", [{}, {"clock_off": 3600}], ids=["right", "wrong"])
@pytest.mark.parametrize("baseline_scan", ["BEGUN", "FAILED"])
def test_what_the_first_attempt_made_is_not_foreign_though_clocks_differ(sandbox, alice, lease, baseline_scan, faults):
    """By 20 s, or because the Date header is another machine's."""
    models.Account.objects.filter(pk=accounts.get_current_account().pk).update(baseline_scan=baseline_scan)
    portal_request = ask(sandbox, alice, "fail-500-made")
    started_at = portal_request.attempts.get().claimed_at - timedelta(seconds=0 if faults else 20)
    script_list(sandbox, entry(made(sandbox)[0], workspace="S1", startedAt=started_at.isoformat()))
    sandbox.set_faults(faults)
    scan(lease)
    assert not models.Workstation.objects.get().is_foreign


# --- Restores ---


def test_what_a_scan_listed_before_the_restore_may_be_what_was_lost_however_many_followed(sandbox, alice, lease):
    portal_request = factories.submit(alice)
    clients.make_client().request_workstation(type="python")
    scan(lease)
    for _ in range(22):
        restore.restore_requests()
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.CONFIRM)


# --- What else may be in the way ---


def test_nothing_is_reconciled_before_an_operator_says_what_became_of_the_database(sandbox, settings, alice, lease):
    portal_request = ask(sandbox, alice, "reset-made")
    settings.USING_SANDBOX = False
    models.Database.objects.update(place="elsewhere")
    scan(lease)
    assert statuses(portal_request) == ["UNKNOWN"]
    assert models.Key.objects.get().cause == models.DATABASE_MOVED


@pytest.mark.parametrize(
    ("name", "strangers", "is_shared"), [("reset", 1, False), ("reset", 2, True), ("reset-made", 1, True)]
)
def test_an_attempt_explains_one_stranger_and_none_beside_its_own(sandbox, alice, lease, name, strangers, is_shared):
    ask(sandbox, alice, name)
    scan(lease)
    script_list(sandbox, *(entry(f"X{number}", workspace="S-x") for number in range(strangers)))
    scan(lease)
    assert (accounts.get_current_account().shared_at is not None) is is_shared


def test_what_a_late_response_names_is_not_foreign(sandbox, alice, olga, lease, recovering):
    portal_request, call, result = send_late(sandbox, alice, recovering)
    script_list(sandbox, entry(factories.get_named(result).uid))
    scan(lease)
    submissions.close_request(actor=olga, portal_request=portal_request, reason="Given up.")
    newcomer = models.Workstation.objects.get(uid=factories.get_named(result).uid)
    operator_actions.disown_workstation(actor=olga, workstation=newcomer, reason="Nobody knows it.")
    results.record_result(call=call, result=result)
    assert models.Workstation.objects.orphans().get().made_for == portal_request


@pytest.mark.skipif(present.ON_SQLITE, reason="SQLite lets nobody else write meanwhile")
def test_nobody_is_given_what_an_operator_releases_in_this_moment(sandbox, settings, alice, olga, lease):
    settings.PORTAL_SCAN_INTERVAL = 300.0
    portal_request = ask(sandbox, alice, "reset-made")
    lease.run(scans.advance_scan, account=portal_request.account, client=clients.make_client())
    orphan = models.Workstation.objects.orphans().get()
    with transaction.atomic():
        operator_actions.release_orphan(actor=olga, workstation=orphan, reason="Nobody knows it.")
        other = crowd.start(lambda: factories.reconcile_once(lease))
        crowd.await_lock()
    other.result()
    assert statuses(portal_request) == ["UNKNOWN"]


def send_next() -> dispatch.Call | None:
    call = factories.claim_next()
    if call is not None:
        factories.finish(call)
    return call


# --- Listed after it was taken as not created ---


def lose_one(sandbox, alice, bob, lease) -> models.Request:
    """A request that made a workstation, and was taken as not created, for the lists lag longer than ever before."""
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.set_faults({"omit": made(sandbox)})
    deny(lease, witness_of=bob)
    assert statuses(portal_request) == ["QUEUED"]
    return portal_request


def test_what_is_listed_under_a_pause_is_given_to_the_request_that_waits(sandbox, alice, bob, olga, lease):
    portal_request = lose_one(sandbox, alice, bob, lease)
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="Maintenance.")
    sandbox.set_faults({"omit": []})
    scan(lease)
    circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())
    assert send_next() is None
    assert statuses(portal_request) == ["SUCCEEDED"]


def test_a_witness_that_has_ended_says_nothing_of_the_active_list(sandbox, alice, bob, lease):
    factories.create_workstation(bob, type="golang")
    scan(lease)
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.set_faults({"omit": made(sandbox)[1:]})
    witness = make_witness(bob)
    clients.make_client().release_workstation(uid=witness.uid)
    deny(lease)
    witness.refresh_from_db()
    assert not witness.is_live
    assert statuses(portal_request) == ["UNKNOWN"]


def test_a_lag_that_a_later_round_of_a_scan_shows_is_measured(sandbox, alice, lease):
    old = factories.create_workstation(alice)
    sandbox.set_faults({"omit": [old.uid]})
    for _ in range(3):
        scan(lease, after=100)
    new = factories.create_workstation(alice, type="max")
    sandbox.set_faults({"omit": []})
    shown = [
        entry(one.uid, type=one.type, workspace=factories.get_workspace(one).uid, startedAt=None) for one in (new, old)
    ]
    script_list(sandbox, shown[0], cursor="next")
    sandbox.script({"on": ACTIVE, "status": 429, "body": {"error": "Too Many", "message": "x"}})
    script_list(sandbox, shown[1])
    scan(lease)
    models.Scan.objects.update(wait_until=None)
    scan(lease)
    assert accounts.get_current_account().longest_lag >= 190


# --- Late responses ---


def test_what_names_another_s_is_sent_no_third_time(sandbox, alice, bob, lease, recovering):
    owned = factories.create_workstation(bob)
    sandbox.script({"status": 200, "body": entry(owned.uid, workspace=factories.get_workspace(owned).uid)})
    portal_request, first, result = send_late(sandbox, alice, recovering)
    deny(lease, witness_of=bob)
    call = factories.claim()
    results.record_result(call=first, result=result)
    sandbox.script({"name": "fail-503"})
    factories.finish(call)
    factories.pass_time(400)
    assert send_next() is None
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.OTHERS)


# --- Strangers, and what waits ---


def test_a_wish_to_cancel_does_not_wait_for_the_end_of_a_pause(sandbox, alice, bob, olga, lease):
    portal_request = ask(sandbox, alice, "reset")
    submissions.cancel_request(actor=alice, portal_request=portal_request)
    make_witness(bob)
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="Maintenance.")
    deny(lease)
    assert statuses(portal_request) == ["CANCELLED"]


@pytest.mark.parametrize(("module", "name"), [(completeness, "measure_lags"), (sharing, "note_sharing")])
def test_a_worker_that_lost_the_job_notes_nothing_of_the_account(sandbox, alice, lease, monkeypatch, module, name):
    factories.create_workstation(alice)
    if module is sharing:
        script_list(sandbox, entry("STRANGER", workspace="S-theirs"))
        factories.pass_time(24 * 3600)
    note: Callable[..., Any] = getattr(module, name)

    def note_late(**given: Any) -> None:
        models.Lease.objects.update(expires_at=Now() - timedelta(seconds=1))
        assert leases.acquire_lease(name=lease.name, holder="another", seconds=60) is not None
        models.Account.objects.update(longest_lag=280, longest_lag_at=Now())
        note(**given)

    monkeypatch.setattr(module, name, note_late)
    with pytest.raises(leases.LeaseLost):
        scan(lease)
    account = accounts.get_current_account()
    assert (account.longest_lag, account.shared_at) == (280, None)


def test_what_counts_as_not_created_is_asked_about_once_a_list_shows_what_it_may_have_made(
    sandbox, alice, bob, olga, lease
):
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.set_faults({"omit": made(sandbox)})
    deny(lease, witness_of=bob)
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="Maintenance.")
    script_list(sandbox, entry(" " * 300))
    scan(lease)
    circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())
    assert statuses(portal_request) == ["UNKNOWN"]
    assert factories.claim_next() is None
