"""Claim, call, record."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.requests import dispatch
from portal.services.runtime import clients, leases
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


class Looking(agentstation.Client):
    def __init__(self) -> None:
        self.__dict__.update(clients.make_client().__dict__)
        self.in_transaction: bool | None = None
        self.holds_connection: bool | None = None

    def request_workstation(self, **values):
        self.in_transaction = connection.in_atomic_block
        self.holds_connection = connection.connection is not None
        return super().request_workstation(**values)


def test_no_transaction_is_open_during_the_call_and_on_postgresql_no_connection_held(sandbox, alice):
    factories.submit(alice)
    client = Looking()

    assert factories.send_once(client=client).value is not None

    assert client.in_transaction is False
    assert client.holds_connection is (connection.vendor == "sqlite")


def test_a_call_within_a_transaction_is_refused(sandbox, alice):
    factories.submit(alice)
    call = factories.claim()
    with transaction.atomic(), pytest.raises(RuntimeError):
        dispatch.send_call(call=call, client=clients.make_client())
    assert sandbox.record()["posts"] == []


def test_the_attempt_is_written_before_anything_is_sent(sandbox, alice):
    portal_request = factories.submit(alice)
    factories.claim()

    portal_request.refresh_from_db()
    attempt = portal_request.attempts.get()
    assert (portal_request.status, attempt.outcome, attempt.number) == ("SENDING", "SENDING", 1)
    assert (attempt.deadline_at - attempt.claimed_at).total_seconds() == pytest.approx(5 + 5 + 60, abs=1)
    assert sandbox.record()["posts"] == []


def test_the_body_sent_is_exactly_the_contract_s(sandbox, alice):
    factories.send_until_settled(factories.submit(alice, type="max", note="stays here"))
    factories.send_until_settled(factories.submit(alice, type="voip", workspace_uid="slow-0"))

    posts = sandbox.record()["posts"]
    assert [post["body"].replace(" ", "") for post in posts] == [
        '{"type":"max"}',
        '{"type":"voip","workspace_id":"slow-0"}',
    ]
    assert all(post["authorized"] for post in posts)


def test_time_under_a_pause_is_no_waiting(sandbox, settings, alice, bob, lease):
    settings.PORTAL_LONGEST_WAIT, settings.PORTAL_RECONCILE_GRACE = 3600, 0.0
    factories.send_until_settled(factories.submit(alice, workspace_uid="fail-402"))
    waiting = factories.submit(bob)
    two_hours_ago = Now() - timedelta(hours=2)
    models.Key.objects.update(paused_at=two_hours_ago)
    models.Request.objects.filter(pk=waiting.pk).update(queued_at=two_hours_ago)

    assert factories.expire_overdue(lease=lease) == 0


def test_a_lease_is_one_worker_s_as_long_as_it_comes_forward_or_until_it_is_dropped():
    first = factories.acquire_lease(name="long", holder="mine", seconds=60)
    assert first == leases.acquire_lease(name="long", holder="mine", seconds=60)
    models.Lease.objects.update(expires_at=Now())
    first.run(leases.renew_lease)
    assert leases.acquire_lease(name="long", holder="other", seconds=60) is None

    models.Lease.objects.update(expires_at=Now())
    second = factories.acquire_lease(name="long", holder="other", seconds=60)
    assert second.token == first.token + 1
    with pytest.raises(leases.LeaseLost):
        first.run(leases.renew_lease)
    leases.drop_leases(holder="other")
    assert leases.acquire_lease(name="long", holder="mine", seconds=60) is not None
