"""Claim, call, record."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import statuses

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
        factories.send(call)
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
    factories.submit_and_settle(alice, type="max", note="stays here")
    factories.submit_and_settle(alice, type="voip", workspace_uid="slow-0")

    posts = sandbox.record()["posts"]
    assert [post["body"].replace(" ", "") for post in posts] == [
        '{"type":"max"}',
        '{"type":"voip","workspace_id":"slow-0"}',
    ]
    assert all(post["authorized"] for post in posts)


def test_what_was_claimed_too_long_ago_is_given_back_unsent(sandbox, alice):
    portal_request = factories.submit(alice)
    call = factories.claim()
    paused = replace(call, send_before=agentstation.boottime() - 1)

    factories.finish(paused)

    assert (statuses(portal_request), portal_request.attempt_count) == (["QUEUED"], 0)
    assert portal_request.attempts.get().outcome == "NOT_SENT"
    assert sandbox.record()["posts"] == []


def test_an_attempt_past_its_deadline_becomes_unknown_and_is_never_sent_again(sandbox, alice, lease):
    portal_request = factories.submit(alice)
    call = factories.claim()
    assert factories.expire_overdue(lease=lease) == 0
    factories.make_overdue(call)

    assert [factories.expire_overdue(lease=lease) for _ in range(2)] == [1, 0]

    assert (statuses(portal_request), portal_request.failure) == (["UNKNOWN"], "no-answer")
    assert factories.claim_next() is None
    assert factories.list_events("deadline-passed").count() == 1


def test_time_under_a_pause_is_no_waiting(sandbox, settings, alice, bob, lease):
    settings.PORTAL_LONGEST_WAIT, settings.PORTAL_RECONCILE_GRACE = 3600, 0.0
    factories.submit_and_settle(alice, workspace_uid="fail-402")
    waiting = factories.submit(bob)
    two_hours_ago = Now() - timedelta(hours=2)
    models.Key.objects.update(paused_at=two_hours_ago)
    factories.update(waiting, queued_at=two_hours_ago)

    assert factories.expire_overdue(lease=lease) == 0


def test_a_claim_makes_the_databases_row_where_there_is_none(sandbox, alice):
    factories.submit(alice)
    models.Database.objects.all().delete()

    assert factories.claim()
    assert models.Database.objects.count() == 1


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


def test_recording_twice_changes_nothing(sandbox, alice):
    portal_request = factories.submit(alice)
    call = factories.claim()
    result = factories.finish(call)
    factories.record(call, result)

    assert statuses(portal_request) == ["SUCCEEDED"]
    assert models.LateResponse.objects.count() == 0
    assert factories.list_events("response").count() == 1
