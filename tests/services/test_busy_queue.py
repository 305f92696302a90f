"""A queue that is never empty must not keep unknown requests from being settled."""

import pytest

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
