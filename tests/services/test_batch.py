"""Group commit: results and claims of a worker in one transaction, all of them or none."""

from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction

from portal import agentstation, models
from portal.services.audit import verify
from portal.services.key import accounts
from portal.services.requests import batch, dispatch
from portal.services.runtime import clients
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def patient(monkeypatch) -> None:
    """However slow the machine is, a batch is recorded to its end."""
    monkeypatch.setattr(batch, "LONGEST", 60.0)


def bring(count: int) -> list[batch.Delivery]:
    client = clients.make_client()
    calls = factories.claim_requests(worker="w", most=count)
    return [batch.Delivery(call=call, result=dispatch.send_call(call=call, client=client)) for call in calls]


def commit(brought: list[batch.Delivery], *, most: int = 0) -> batch.Batch:
    present = batch.Batch(brought=brought, most=most)
    batch.commit_batch(batch=present, worker="w")
    return present


def test_results_are_recorded_before_requests_are_claimed(sandbox, settings, alice, bob):
    settings.PORTAL_CALLS_IN_FLIGHT = 3
    factories.submit_for(*(alice, bob) * 3)
    brought = bring(3)

    present = commit(brought, most=5)

    assert (present.recorded, present.apart, len(present.claimed)) == (brought, [], 3)
    assert models.Request.objects.filter(status="SUCCEEDED").count() == 3
    assert models.Request.objects.filter(status="SENDING").count() == 3
    events = models.Event.objects.order_by("-pk").values_list("verb", "request_number")[:6]
    attempts = [delivery.call.attempt_id for delivery in brought] + [call.attempt_id for call in present.claimed]
    numbers = [models.Attempt.objects.get(pk=attempt).request_id for attempt in attempts]
    assert list(reversed(events)) == list(zip(["response"] * 3 + ["claim"] * 3, numbers, strict=True))
    assert not verify.verify_log(rows=True).findings


def test_of_a_batch_with_a_result_that_cannot_be_recorded_nothing_is(sandbox, alice):
    factories.submit_for(*[alice] * 3)
    first, second, third = bring(3)
    tick = models.Key.objects.get().tick

    with pytest.raises(IntegrityError):
        commit([first, break_late(second), third])

    assert set(models.Attempt.objects.values_list("outcome", "request__status")) == {("SENDING", "SENDING")}
    assert not models.Event.objects.filter(verb__in=["response", "notice"]).exists()
    assert not models.Notice.objects.exists()
    assert not models.Workspace.objects.exists()
    assert models.Key.objects.get().tick == tick

    assert commit([first, second, third]).recorded == [first, second, third]
    assert not verify.verify_log(rows=True).findings


def break_late(delivery: batch.Delivery) -> batch.Delivery:
    """A result that our own code breaks on when the attempt has ended, a notice is raised and a workspace stored."""
    result = delivery.result
    assert result.response is not None
    deviation = agentstation.Deviation(kind="something new", example={})
    return replace(
        delivery,
        result=replace(
            result,
            value=replace(factories.get_named(result), status=None),  # type: ignore[arg-type]
            response=replace(result.response, deviations=(deviation,)),
        ),
    )


def test_a_batch_takes_no_more_than_its_largest_and_its_time(sandbox, alice, monkeypatch):
    monkeypatch.setattr(batch, "LARGEST", 2)
    factories.submit_for(*[alice] * 4)
    brought = bring(4)

    assert commit(brought).recorded == brought[:2]

    monkeypatch.setattr(batch, "LONGEST", 0.0)
    assert commit(brought[2:]).recorded == brought[2:3], "one is always recorded"


def test_a_result_of_another_account_s_call_is_left_to_a_transaction_of_its_own(sandbox, settings, alice):
    factories.submit(alice)
    [delivery] = bring(1)
    models.Account.objects.update(retired_at=models.clock.Now())
    assert accounts.get_current_account().pk != delivery.call.account_id

    present = commit([delivery])

    assert (present.recorded, present.apart) == ([], [delivery])
    factories.record(delivery.call, delivery.result)
    assert models.Request.objects.get().status == "SUCCEEDED"


def test_what_a_transaction_claimed_that_was_not_confirmed_is_told_by_its_tokens(sandbox, alice):
    factories.submit_for(*[alice] * 2)
    [kept] = factories.claim_requests(worker="w", most=1)
    with transaction.atomic():
        [lost] = factories.claim_requests(worker="w", most=1)
        transaction.set_rollback(True)

    assert dispatch.find_claimed(calls=[kept, lost]) == [kept]


def test_a_batch_says_whether_it_may_have_left_some(sandbox, alice):
    factories.submit_for(*[alice] * 3)
    batches = [commit([], most=2) for _ in range(2)]
    assert [(len(one.claimed), one.is_any_due) for one in batches] == [(2, True), (1, False)]
