"""What chaos taught of settling: a queue that is never empty, and workstations that two groups could claim."""

import pytest

from portal import failures, models
from portal.services import leases, settle
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_a_call_that_was_claimed_after_a_look_does_not_hinder_it(sandbox, settings, alice):
    settings.PORTAL_DUTY_INTERVAL = settings.PORTAL_LOOK_INTERVAL = 0.0
    held = leases.take_lease(name="settle", holder="test", seconds=60)
    client = process.make_client()
    settle.settle_requests(held=held, client=client)
    sandbox.script([{"name": "reset-made"}])
    unknown = factories.send_until_settled(factories.submit(alice))
    for _ in range(2):
        factories.submit(alice)
    before_the_look = factories.claim()

    settle.settle_requests(held=held, client=client)
    unknown.refresh_from_db()
    assert unknown.status == "UNKNOWN", "the call under way could have made what the look showed"

    after_the_look = factories.claim()
    result = factories.dispatch.send_call(call=before_the_look, client=client)
    factories.record.record_result(call=before_the_look, result=result)
    settle.settle_requests(held=held, client=client)

    unknown.refresh_from_db()
    assert unknown.status == "SUCCEEDED"
    assert after_the_look.attempt_id != before_the_look.attempt_id


def test_a_named_workspace_has_the_better_claim(sandbox, settings, alice, bob):
    """Both are unknown, one workstation was made, in the workspace that only one of them named."""
    settings.PORTAL_DUTY_INTERVAL = settings.PORTAL_LOOK_INTERVAL = 0.0
    held = leases.take_lease(name="settle", holder="test", seconds=60)
    client = process.make_client()
    settle.settle_requests(held=held, client=client)
    sandbox.script([{"name": "reset"}])
    unnamed = factories.send_until_settled(factories.submit(alice))
    named = factories.send_until_settled(factories.submit(bob, workspace_uid="reset-made"))

    settle.settle_requests(held=held, client=client)

    unnamed.refresh_from_db()
    named.refresh_from_db()
    assert (unnamed.status, named.status) == ("UNKNOWN", "SUCCEEDED")


def test_a_workstation_of_an_unknown_type_in_the_named_workspace_is_adopted(sandbox, settings, alice):
    settings.PORTAL_DUTY_INTERVAL = settings.PORTAL_LOOK_INTERVAL = 0.0
    held = leases.take_lease(name="settle", holder="test", seconds=60)
    client = process.make_client()
    settle.settle_requests(held=held, client=client)
    portal_request = factories.submit(alice, workspace_uid="unknown-status")
    call = factories.claim()
    factories.dispatch.send_call(call=call, client=client)
    lost = factories.dispatch.Result(failure=failures.NO_ANSWER)
    factories.record.record_result(call=call, result=lost)

    settle.settle_requests(held=held, client=client)

    portal_request.refresh_from_db()
    assert portal_request.status == "SUCCEEDED"
    assert portal_request.workstation.type not in models.Request.Type.values
