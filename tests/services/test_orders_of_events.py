"""Orders of events in which something could be bought twice, given to the wrong person, or wait for ever."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, sharing
from portal.services.reconciliation import lag, operator_actions, restore
from portal.services.requests import dispatch, notes, results, submissions
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import (
    ACTIVE,
    GRACE,
    UNTIL_SURE,
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


def send_next() -> dispatch.Call | None:
    call = factories.claim_next()
    if call is not None:
        results.record_result(call=call, result=dispatch.send_call(call=call, client=clients.make_client()))
    return call


# --- Listed after it was taken as not created ---


def lose_one(sandbox, alice, bob, lease) -> models.Request:
    """A request that made a workstation, and was taken as not created, for the lists lag longer than ever before."""
    portal_request = ask(sandbox, alice, "reset-made")
    sandbox.set_faults({"omit": made(sandbox)})
    make_witness(bob)
    deny(lease)
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


def test_what_is_listed_before_a_retry_is_given_to_the_request_that_waits(sandbox, alice, bob, lease):
    portal_request = lose_one(sandbox, alice, bob, lease)
    sandbox.script({"name": "fail-503"})
    send_next()
    assert statuses(portal_request) == ["QUEUED"]
    sandbox.set_faults({"omit": []})
    scan(lease)
    factories.pass_time(400)
    assert send_next() is None
    assert statuses(portal_request) == ["SUCCEEDED"]


def test_what_one_shows_of_the_lists_holds_for_the_others(sandbox, alice, bob, lease):
    first, second = ask(sandbox, alice, "reset-made"), ask(sandbox, bob, "reset-made")
    lost = made(sandbox)
    sandbox.set_faults({"omit": lost})
    make_witness(bob)
    factories.pass_time(UNTIL_SURE)
    scan(lease)
    scan(lease)
    factories.pass_time(GRACE)
    sandbox.set_faults({"omit": lost[1:]})
    for _ in range(3):
        scan(lease)
    assert statuses(first, second) == ["SUCCEEDED", "UNKNOWN"]


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
        factories.pass_time(100)
        scan(lease)
    new = factories.create_workstation(alice, type="max")
    sandbox.set_faults({"omit": []})
    shown = [entry(one.uid, type=one.type, workspace=factories.get_workspace(one).uid) for one in (new, old)]
    script_list(sandbox, shown[0], cursor="next")
    sandbox.script({"on": ACTIVE, "status": 429, "body": {"error": "Too Many", "message": "x"}})
    script_list(sandbox, shown[1])
    scan(lease)
    models.Scan.objects.update(wait_until=None)
    scan(lease)
    assert accounts.get_current_account().longest_lag >= 190


# --- Late responses ---


def test_what_an_earlier_attempt_named_comes_before_a_late_refusal(sandbox, alice, lease, recovering):
    portal_request, first, result = send_late(sandbox, alice, recovering)
    take_as_not_created(sandbox, alice, lease)
    sandbox.script({"status": 422, "body": {"error": "Unprocessable", "message": "Asset not found"}})
    call = factories.claim()
    refused = dispatch.send_call(call=call, client=clients.make_client())
    results.record_result(call=first, result=result)
    factories.make_overdue(call)
    factories.expire_overdue(lease=recovering)
    results.record_result(call=call, result=refused)
    scan(lease)
    assert statuses(portal_request) == ["SUCCEEDED"]


def test_what_names_another_s_is_sent_no_third_time(sandbox, alice, bob, lease, recovering):
    owned = factories.create_workstation(bob)
    sandbox.script({"status": 200, "body": entry(owned.uid, workspace=factories.get_workspace(owned).uid)})
    portal_request, first, result = send_late(sandbox, alice, recovering)
    make_witness(bob)
    deny(lease)
    call = factories.claim()
    results.record_result(call=first, result=result)
    sandbox.script({"name": "fail-503"})
    results.record_result(call=call, result=dispatch.send_call(call=call, client=clients.make_client()))
    factories.pass_time(400)
    assert send_next() is None
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.OTHERS)


def test_what_was_named_for_one_person_is_not_given_to_another(sandbox, alice, bob, lease, recovering):
    hers, first, result = send_late(sandbox, alice, recovering)
    his, named = ask(sandbox, bob, "reset"), factories.get_named(result).uid
    sandbox.set_faults({"omit": [named]})
    make_witness(bob)
    deny(lease)
    scan(lease)
    assert statuses(hers, his) == ["QUEUED", "QUEUED"]
    for call in (factories.claim(), factories.claim()):
        if models.Attempt.objects.get(pk=call.attempt_id).request == his:
            sandbox.script({"name": "reset"})
        results.record_result(call=call, result=dispatch.send_call(call=call, client=clients.make_client()))
    assert statuses(hers, his) == ["SUCCEEDED", "UNKNOWN"]
    results.record_result(call=first, result=result)
    sandbox.set_faults({"omit": []})
    scan(lease)
    assert models.Workstation.objects.get(uid=named).made_for == hers
    assert statuses(his) == ["UNKNOWN"]


def test_a_restore_leaves_to_operators_what_names_another_s(sandbox, alice, bob, lease):
    owned = factories.create_workstation(bob)
    sandbox.script({"status": 200, "body": entry(owned.uid, workspace=factories.get_workspace(owned).uid)})
    portal_request = factories.submit(alice)
    factories.send_once()
    make_witness(bob)
    deny(lease)
    restore.restore_requests()
    factories.pass_time(UNTIL_SURE)
    scan(lease)
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.OTHERS)
    with pytest.raises(submissions.NotPossible):
        operator_actions.declare_not_created(actor=alice, portal_request=portal_request)


# --- Strangers, and what waits ---


def test_where_more_fit_than_were_sent_an_operator_confirms(sandbox, alice, lease):
    portal_request = ask(sandbox, alice, "reset-made")
    claimed_at = portal_request.attempts.get().claimed_at
    begun = (claimed_at - timedelta(seconds=5)).isoformat()
    stranger = entry("STRANGER", workspace="S-theirs", startedAt=begun)
    script_list(sandbox, stranger, entry(made(sandbox)[0], workspace="S-mine", startedAt=claimed_at.isoformat()))
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.CONFIRM)


@pytest.mark.parametrize("has_ended", [True, False])
def test_what_is_never_listed_lets_nobody_wait_unasked(sandbox, alice, bob, lease, recovering, has_ended):
    first, call, result = send_late(sandbox, alice, recovering)
    take_as_not_created(sandbox, alice, lease)
    factories.send_once()
    assert statuses(first) == ["SUCCEEDED"]
    results.record_result(call=call, result=result)
    spare = models.Workstation.objects.get(made_for=first)
    sandbox.set_faults({"omit": [spare.uid]})
    if has_ended:
        models.Workstation.objects.filter(pk=spare.pk).update(ended_at=Now())
    factories.pass_time(24 * 3600)
    second = ask(sandbox, bob, "reset", type="golang")
    make_witness(bob)
    deny(lease)
    factories.pass_time(3600)
    scan(lease)
    assert (statuses(second), second.operator_note) == (["UNKNOWN"], notes.NEWCOMER)


def test_a_wish_to_cancel_does_not_wait_for_the_end_of_a_pause(sandbox, alice, bob, olga, lease):
    portal_request = ask(sandbox, alice, "reset")
    submissions.cancel_request(actor=alice, portal_request=portal_request)
    make_witness(bob)
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason="Maintenance.")
    deny(lease)
    assert statuses(portal_request) == ["CANCELLED"]


# --- A job that was taken over ---


@pytest.mark.parametrize(("module", "name"), [(lag, "measure_lags"), (sharing, "note_sharing")])
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
