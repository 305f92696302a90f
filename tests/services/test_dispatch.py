"""Claim, call, record."""

from dataclasses import replace

import pytest
from django.db import connection

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.requests import dispatch, results
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import send_late

pytestmark = pytest.mark.django_db(transaction=True)


class Looking(agentstation.Client):
    def __init__(self) -> None:
        real = clients.make_client()
        self.__dict__.update(real.__dict__)
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
    from django.db import transaction

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


def test_requests_go_out_in_turns_between_people_and_oldest_first_within_a_person(sandbox, alice, bob):
    first, second, third, fourth = [factories.submit(person).pk for person in (alice, alice, alice, bob)]
    claimed = [models.Attempt.objects.get(pk=factories.claim().attempt_id).request_id for _ in range(4)]
    assert claimed == [first, fourth, second, third]


def test_no_more_calls_are_in_flight_than_the_team_may_have(settings, sandbox, alice):
    settings.PORTAL_CALLS_IN_FLIGHT = 2
    for _ in range(3):
        factories.submit(alice)
    first, _ = factories.claim(), factories.claim()

    assert factories.claim_next(worker="w") is None
    result = dispatch.send_call(call=first, client=clients.make_client())
    results.record_result(call=first, result=result)
    assert factories.claim_next(worker="w") is not None


def test_requests_of_another_base_url_are_never_sent(sandbox, settings, alice):
    waiting = factories.submit(alice)
    settings.AGENTSTATION_BASE_URL = "https://elsewhere.example/v1"

    assert factories.claim_next(worker="w") is None
    waiting.refresh_from_db()
    assert waiting.status == "QUEUED"


def test_a_pause_stops_the_queue_for_everybody_until_an_operator_resumes(sandbox, alice, bob, olga):
    factories.send_until_settled(factories.submit(alice, workspace_uid="fail-401"))
    waiting = factories.submit(bob)
    assert factories.claim_next(worker="w") is None

    circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())

    assert factories.send_until_settled(waiting).status == "SUCCEEDED"
    events = models.Event.objects.filter(verb__in=["pause", "resume"]).order_by("pk")
    assert list(events.values_list("verb", "actor_name")) == [("pause", ""), ("resume", "olga")]


def test_what_was_claimed_too_long_ago_is_given_back_unsent(sandbox, alice):
    portal_request = factories.submit(alice)
    call = factories.claim()
    paused = replace(call, send_before=agentstation.boottime() - 1)

    results.record_result(call=paused, result=dispatch.send_call(call=paused, client=clients.make_client()))

    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.attempt_count) == ("QUEUED", 0)
    assert portal_request.attempts.get().outcome == "NOT_SENT"
    assert sandbox.record()["posts"] == []


def test_an_attempt_past_its_deadline_becomes_unknown_and_is_never_sent_again(sandbox, alice, lease):
    portal_request = factories.submit(alice)
    factories.make_overdue(factories.claim())

    assert factories.expire_overdue(lease=lease) == 1
    assert factories.expire_overdue(lease=lease) == 0

    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.failure) == ("UNKNOWN", "no-answer")
    assert factories.claim_next(worker="w") is None
    assert models.Event.objects.filter(verb="deadline-passed").count() == 1


def test_an_attempt_before_its_deadline_is_left_alone(sandbox, alice, lease):
    factories.submit(alice)
    factories.claim()
    assert factories.expire_overdue(lease=lease) == 0


def test_a_late_200_makes_an_unknown_request_succeed(sandbox, alice, lease):
    portal_request, call, result = send_late(sandbox, alice, lease)

    results.record_result(call=call, result=result)

    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.failure) == ("SUCCEEDED", "")
    assert portal_request.workstation.uid == factories.get_named(result).uid
    assert portal_request.attempts.get().late_response.http_status == 200
    assert portal_request.attempts.get().outcome == "UNKNOWN"


def test_a_late_200_after_a_close_is_kept_as_an_orphan(sandbox, alice, olga, lease):
    portal_request, call, result = send_late(sandbox, alice, lease)
    from portal.services.requests import submissions

    submissions.close_request(actor=olga, portal_request=portal_request, reason="Given up.")
    results.record_result(call=call, result=result)
    results.record_result(call=call, result=result)

    portal_request.refresh_from_db()
    assert portal_request.status == "FAILED"
    assert models.Workstation.objects.get().request is None
    assert models.LateResponse.objects.count() == 1


def test_recording_twice_changes_nothing(sandbox, alice):
    portal_request = factories.submit(alice)
    call = factories.claim()
    result = dispatch.send_call(call=call, client=clients.make_client())
    results.record_result(call=call, result=result)
    results.record_result(call=call, result=result)

    portal_request.refresh_from_db()
    assert portal_request.status == "SUCCEEDED"
    assert models.LateResponse.objects.count() == 0
    assert models.Event.objects.filter(verb="response").count() == 1


def test_a_request_that_waited_too_long_is_given_up(sandbox, settings, alice, lease):
    settings.PORTAL_LONGEST_WAIT = settings.PORTAL_RECONCILE_GRACE = 0.0
    portal_request = factories.submit(alice)

    assert factories.expire_overdue(lease=lease) == 1

    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.failure) == ("FAILED", "waited-too-long")


def test_time_under_a_pause_is_no_waiting(sandbox, settings, alice, bob, lease):
    from datetime import timedelta

    settings.PORTAL_LONGEST_WAIT, settings.PORTAL_RECONCILE_GRACE = 3600, 0.0
    factories.send_until_settled(factories.submit(alice, workspace_uid="fail-402"))
    waiting = factories.submit(bob)
    two_hours_ago = Now() - timedelta(hours=2)
    models.Key.objects.update(paused_at=two_hours_ago)
    models.Request.objects.filter(pk=waiting.pk).update(queued_at=two_hours_ago)

    assert factories.expire_overdue(lease=lease) == 0


def test_a_lease_is_one_worker_s_until_it_expires_or_is_dropped():
    first = factories.acquire_lease(name="d", holder="a", seconds=60)
    assert first == leases.acquire_lease(name="d", holder="a", seconds=60)
    assert leases.acquire_lease(name="d", holder="b", seconds=60) is None
    leases.drop_leases(holder="a")
    second = factories.acquire_lease(name="d", holder="b", seconds=60)
    assert second.token == first.token + 1


def test_a_claim_makes_the_databases_row_where_there_is_none(sandbox, alice):
    factories.submit(alice)
    models.Database.objects.all().delete()

    assert factories.claim()
    assert models.Database.objects.count() == 1
