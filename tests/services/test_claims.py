"""What chaos taught of settling: a queue that is never empty, and workstations that two groups could claim."""

import pytest

from portal import failures, models
from portal.models.clock import Now
from portal.services.requests import dispatch, notes, results, submissions
from portal.services.runtime import clients, leases
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_call_that_was_claimed_after_a_look_does_not_hinder_it(sandbox, settings, alice):
    settings.PORTAL_JOB_INTERVAL = settings.PORTAL_SCAN_INTERVAL = 0.0
    lease = factories.acquire_lease(name="reconcile", seconds=60)
    client = clients.make_client()
    factories.reconcile_once(lease)
    sandbox.script([{"name": "reset-made"}])
    unknown = factories.send_until_settled(factories.submit(alice))
    for _ in range(2):
        factories.submit(alice)
    before_the_look = factories.claim()

    factories.reconcile_once(lease)
    unknown.refresh_from_db()
    assert unknown.status == "UNKNOWN", "the call under way could have made what the look showed"

    after_the_look = factories.claim()
    result = dispatch.send_call(call=before_the_look, client=client)
    results.record_result(call=before_the_look, result=result)
    factories.reconcile_once(lease)

    unknown.refresh_from_db()
    assert unknown.status == "SUCCEEDED"
    assert after_the_look.attempt_id != before_the_look.attempt_id


def test_a_named_workspace_has_the_better_claim(sandbox, settings, alice, bob):
    """Both are unknown, one workstation was made, in the workspace that only one of them named."""
    settings.PORTAL_JOB_INTERVAL = settings.PORTAL_SCAN_INTERVAL = 0.0
    lease = factories.acquire_lease(name="reconcile", seconds=60)
    factories.reconcile_once(lease)
    sandbox.script([{"name": "reset"}])
    unnamed = factories.send_until_settled(factories.submit(alice))
    named = factories.send_until_settled(factories.submit(bob, workspace_uid="reset-made"))

    factories.reconcile_once(lease)

    unnamed.refresh_from_db()
    named.refresh_from_db()
    assert (unnamed.status, named.status) == ("UNKNOWN", "SUCCEEDED")


def test_one_of_an_unknown_type_in_the_named_workspace_is_for_a_person(sandbox, settings, alice):
    settings.PORTAL_JOB_INTERVAL = settings.PORTAL_SCAN_INTERVAL = 0.0
    lease = factories.acquire_lease(name="reconcile", seconds=60)
    client = clients.make_client()
    factories.reconcile_once(lease)
    portal_request = factories.submit(alice, workspace_uid="unknown-status")
    call = factories.claim()
    dispatch.send_call(call=call, client=client)
    lost = dispatch.Result(failure=failures.NO_ANSWER)
    results.record_result(call=call, result=lost)

    factories.reconcile_once(lease)

    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.operator_note) == ("UNKNOWN", notes.NEWCOMER)


def test_what_a_late_response_named_is_taken_when_the_next_attempt_fails(sandbox, alice):
    """The first response comes while the second call is under way, which then is refused."""
    client = clients.make_client()
    portal_request = factories.submit(alice)
    first = factories.claim()
    result = dispatch.send_call(call=first, client=client)
    models.Attempt.objects.filter(pk=first.attempt_id).update(
        outcome="UNKNOWN", failure="no-answer", ended_at=models.Attempt.objects.get(pk=first.attempt_id).claimed_at
    )
    models.Request.objects.filter(pk=portal_request.pk).update(status="QUEUED")
    sandbox.script([{"name": "fail-422"}])
    second = factories.claim()
    refused = dispatch.send_call(call=second, client=client)

    results.record_result(call=first, result=result)
    portal_request.refresh_from_db()
    assert portal_request.status == "SENDING"
    results.record_result(call=second, result=refused)

    portal_request.refresh_from_db()
    assert portal_request.status == "SUCCEEDED"
    assert portal_request.workstation.uid == factories.get_named(result).uid


@pytest.mark.parametrize(
    ("name", "wished", "status"),
    [
        ("fail-422", False, "FAILED"),
        ("fail-503", False, "QUEUED"),
        ("fail-402", False, "QUEUED"),
        ("fail-422", True, "CANCELLED"),
    ],
)
def test_a_late_refusal_is_used_as_if_it_had_come_in_time(sandbox, alice, name, wished, status):
    client = clients.make_client()
    sandbox.script([{"name": name}])
    portal_request = factories.submit(alice)
    call = factories.claim()
    result = dispatch.send_call(call=call, client=client)
    results.record_result(call=call, result=dispatch.Result(failure=failures.NO_ANSWER))
    if wished:
        submissions.cancel_request(actor=alice, portal_request=portal_request)

    results.record_result(call=call, result=result)

    portal_request.refresh_from_db()
    assert portal_request.status == status


def test_a_job_keeps_its_lease_as_long_as_it_comes_forward_and_no_longer():
    lease = factories.acquire_lease(name="long", holder="mine", seconds=60)
    models.Lease.objects.update(expires_at=Now())
    lease.run(leases.renew_lease)
    assert leases.acquire_lease(name="long", holder="other", seconds=60) is None

    models.Lease.objects.update(expires_at=Now())
    assert leases.acquire_lease(name="long", holder="other", seconds=60) is not None
    with pytest.raises(leases.LeaseLost):
        lease.run(leases.renew_lease)


def test_two_that_would_change_places_are_an_operator_s_question(sandbox, settings, alice):
    """Of two unknown requests the first took what the second's call had made; then its own is named, and it has one."""
    settings.PORTAL_JOB_INTERVAL = settings.PORTAL_SCAN_INTERVAL = 0.0
    lease = factories.acquire_lease(name="reconcile", seconds=60)
    client = clients.make_client()
    factories.reconcile_once(lease)
    first, second = factories.submit(alice), factories.submit(alice)
    nothing = dispatch.Result(failure=failures.NO_ANSWER)
    late_call, quick_call = factories.claim(), factories.claim()
    dispatch.send_call(call=quick_call, client=client)
    for call in (late_call, quick_call):
        results.record_result(call=call, result=nothing)
    factories.reconcile_once(lease)
    reply = client.request_workstation(type="python")  # as if it had been on its way for so long
    late = dispatch.Result(value=reply.value, response=reply.response)
    results.record_result(call=late_call, result=late)
    factories.reconcile_once(lease)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status, second.operator_note) == ("SUCCEEDED", "UNKNOWN", notes.NEWCOMER)
    assert models.Workstation.objects.orphans().get().uid == factories.get_named(late).uid
