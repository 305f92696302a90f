"""Two at the same moment: exactly one wins, and nothing is done twice. Real threads on the real database."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from portal import failures, models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, credentials
from portal.services.mirrors import mirror, missing
from portal.services.reconciliation import timeouts
from portal.services.requests import dispatch, results, submissions
from portal.services.runtime import clients, leases
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5  # a race that is lost one time in three is seen
REFUSED = dispatch.Result(failure=failures.CATALOGUE["422"])  # of which the key learns nothing


def claim() -> dispatch.Call | None:
    return factories.claim_next(worker=threading.current_thread().name)


def work() -> int:
    client, count = clients.make_client(), 0
    while (call := claim()) is not None:
        factories.finish(call, client=client)
        count += 1
    return count


def won[T](results: Sequence[T | Exception | None]) -> list[T]:
    """What did not fail and is not None; a failure that was not meant fails the test."""
    kept: list[T] = []
    for result in results:
        if isinstance(result, Exception):
            raise result
        if result is not None:
            kept.append(result)
    return kept


# --- Claims ---


def test_two_workers_send_everything_once_and_neither_waits_for_the_other(sandbox, alice, bob):
    requests = [factories.submit(person) for person in (alice, bob) * 6]
    # Neither returns before all is sent or being sent.
    assert sum(won(crowd.run_together(work, work))) == len(requests)
    assert models.Request.objects.filter(status="SUCCEEDED").count() == len(requests)
    assert len({post["made"] for post in sandbox.record()["posts"]}) == len(requests)


def test_ten_claimers_with_a_cap_of_one_never_have_two_in_flight(settings, sandbox, alice, bob):
    settings.PORTAL_CALLS_IN_FLIGHT = 1
    factories.submit_for(*(alice, bob) * 5)
    for round_number in range(1, ROUNDS + 1):
        calls = won(crowd.run_together(*[claim] * 10))
        assert len(calls) == 1
        assert models.Attempt.objects.filter(outcome="SENDING").count() == 1
        assert models.Attempt.objects.count() == round_number
        results.record_result(call=calls[0], result=REFUSED)


# --- Cancel, close, submit ---


def test_a_cancel_waits_for_a_claim_under_way(sandbox, alice, monkeypatch):
    """The claim holds its locks and is stopped there; the cancel comes then, and finds the request being sent."""
    portal_request = factories.submit(alice)
    inside, go_on = threading.Event(), threading.Event()
    create = dispatch._create_attempts

    def stop_there(*args: Any, **values: Any) -> list[dispatch.Call]:
        inside.set()
        assert go_on.wait(30)
        return create(*args, **values)

    monkeypatch.setattr(dispatch, "_create_attempts", stop_there)
    claiming = crowd.start(claim)
    assert inside.wait(30)
    cancelling = crowd.start(partial(submissions.cancel_request, actor=alice, portal_request=portal_request))
    crowd.assert_waits(cancelling)
    go_on.set()

    assert claiming.result() is not None
    with pytest.raises(submissions.NotPossible):
        cancelling.result()
    portal_request.refresh_from_db()
    assert portal_request.status == "SENDING"


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite locks no rows")
def test_a_scan_and_a_response_store_the_same_new_workstation_without_a_deadlock(sandbox, alice):
    """The scan has inserted it, and commits; the response waits for that, and is recorded at its second try."""
    space = factories.get_workspace(factories.create_workstation(alice))
    portal_request = factories.submit(alice, workspace_uid=space.uid)
    call = factories.claim()
    result = factories.send(call)
    named = factories.get_named(result)
    inside, go_on = threading.Event(), threading.Event()

    def scan() -> None:
        with transaction.atomic():
            entries = {named.uid: named}
            mirror.store_listed(account=space.account, entries=entries, are_over=False, foreign=())
            inside.set()
            assert go_on.wait(30)

    def record_as_a_worker() -> None:
        try:
            factories.record(call, result)
        except IntegrityError:
            factories.record(call, result)

    scanning = crowd.start(scan)
    assert inside.wait(30)
    recording = crowd.start(record_as_a_worker)
    crowd.assert_waits(recording)
    go_on.set()

    assert [scanning.result(), recording.result()] == [None, None]
    assert models.Workstation.objects.get(uid=named.uid).request == portal_request


def test_ten_identical_submissions_make_one_request_and_one_event(alice):
    factories.mark_baseline_scan()
    for _ in range(ROUNDS):
        submission = uuid4()

        def submit(submission=submission) -> int:
            return submissions.submit_request(
                requester=alice, submission=submission, type="python", workspace_uid="", note="once"
            ).pk

        numbers = set(won(crowd.run_together(*[submit] * 10)))
        assert len(numbers) == 1
        assert models.Event.objects.filter(verb="submit", request_number=numbers.pop()).count() == 1
    assert models.Request.objects.count() == factories.list_events("submit").count() == ROUNDS


def test_ten_first_uses_make_one_account_and_one_key():
    assert models.Account.objects.count() == 0
    accounts_found = won(crowd.run_together(*[lambda: accounts.get_current_account().pk] * 10))
    assert len(set(accounts_found)) == models.Account.objects.count() == models.Key.objects.count() == 1


# --- Duties ---


def test_of_ten_workers_one_gets_a_lease_and_one_follows(sandbox):
    def take_it() -> leases.Lease | None:
        return leases.acquire_lease(name="duty", holder=threading.current_thread().name, seconds=60)

    for token in range(1, ROUNDS + 1):
        assert [lease.token for lease in won(crowd.run_together(*[take_it] * 10))] == [token]
        assert won(crowd.run_together(*[take_it] * 10)) == []
        models.Lease.objects.update(expires_at=Now())


def test_a_duty_whose_lease_is_taken_over_while_it_works_changes_nothing_more(sandbox, alice, monkeypatch):
    """Two attempts are overdue. The duty ends the first and is paused; another worker follows and ends the second."""
    first, second = factories.submit_for(*[alice] * 2)
    for call in (factories.claim(), factories.claim()):
        factories.make_overdue(call)
    lease = factories.acquire_lease(name="recover", holder="paused", seconds=60)
    paused, go_on = threading.Event(), threading.Event()
    make_unknown = timeouts._make_unknown

    def pause_before_second(**given: Any) -> bool:
        if leases.get_lease() == lease and models.Attempt.objects.filter(outcome="UNKNOWN").exists():
            connection.close()
            paused.set()
            assert go_on.wait(30)
        return make_unknown(**given)

    monkeypatch.setattr(timeouts, "_make_unknown", pause_before_second)

    duty = crowd.start(partial(factories.expire_overdue, lease=lease))
    assert paused.wait(30)
    models.Lease.objects.update(expires_at=Now())
    assert factories.expire_overdue(lease=factories.acquire_lease(name="recover", holder="follower", seconds=60)) == 1
    go_on.set()

    with pytest.raises(leases.LeaseLost):
        duty.result()
    assert factories.list_events("deadline-passed").count() == 2
    for portal_request in (first, second):
        portal_request.refresh_from_db()
        assert (portal_request.status, portal_request.attempt_count) == ("UNKNOWN", 1)


def test_a_lease_cannot_be_taken_while_its_duty_s_transaction_is_open(sandbox, alice, monkeypatch):
    """The lease's row is locked (on SQLite everything is): the follower waits for the commit, which renews it."""
    factories.submit(alice)
    factories.make_overdue(factories.claim())
    lease = factories.acquire_lease(name="recover", holder="slow", seconds=60)
    models.Lease.objects.update(expires_at=Now())
    inside, go_on = threading.Event(), threading.Event()
    check = leases.renew_lease

    def check_and_stop(**given: Any) -> None:
        check(**given)
        inside.set()
        assert go_on.wait(30)

    monkeypatch.setattr(leases, "renew_lease", check_and_stop)
    duty = crowd.start(partial(factories.expire_overdue, lease=lease))
    assert inside.wait(30)
    follower = crowd.start(partial(leases.acquire_lease, name="recover", holder="follower", seconds=60))
    crowd.assert_waits(follower)
    go_on.set()

    assert (duty.result(), follower.result()) == (1, None)
    assert models.Request.objects.get().status == "UNKNOWN"


def test_of_the_deadline_and_the_response_exactly_one_ends_the_attempt(sandbox, alice):
    """And the response is kept in both cases."""
    client, lease = clients.make_client(), factories.acquire_lease(name="recover", holder="test", seconds=60)
    for _ in range(2 * ROUNDS):
        portal_request = factories.submit(alice)
        call = factories.claim()
        result = dispatch.send_call(call=call, client=client)
        factories.make_overdue(call)

        record = partial(results.record_result, call=call, result=result)
        won(crowd.run_together(record, partial(factories.expire_overdue, lease=lease)))

        portal_request.refresh_from_db()
        attempt = portal_request.attempts.get()
        assert portal_request.status == "SUCCEEDED"
        assert portal_request.workstation.uid == factories.get_named(result).uid
        assert (attempt.outcome == "SUCCEEDED") != models.LateResponse.objects.filter(attempt=attempt).exists()


# --- A new key ---


@pytest.fixture
def asked(sandbox, settings, alice) -> models.Credential:
    """A request waits, the workers of before are gone, and six with another key come."""
    settings.USING_SANDBOX = False
    factories.submit(alice)
    factories.present_key()
    models.Credential.objects.update(seen_at=Now() - timedelta(minutes=1))
    settings.AGENTSTATION_API_KEY = "another key"
    assert crowd.run_together(*[factories.present_key] * 6) == [None] * 6
    return models.Credential.objects.asked().get()


def test_many_workers_with_a_new_key_ask_once_and_pause_once(asked):
    assert factories.list_events("ask-account").count() == 1
    assert factories.list_events("pause").count() == 1
    assert accounts.get_current_account().key.asks_for_account


@pytest.mark.parametrize("responses", [(True, False), (False, True), (True, True), (False, False)])
def test_of_many_operators_one_answers_and_nothing_is_sent_for_a_left_account(asked, olga, responses):
    steps = [partial(credentials.confirm_key, actor=olga, credential=asked, is_same_account=a) for a in responses * 3]
    claim = partial(factories.claim_next, worker="w")

    *results, call = crowd.run_together(*steps, claim)

    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, circuit_breaker.PauseRefused) for result in results) == len(steps) - 1
    in_use = models.Account.objects.get(retired_at=None)
    assert factories.list_events("confirm-key").count() == 1
    assert accounts.is_key_accepted(account=in_use)
    if call is not None:
        assert isinstance(call, dispatch.Call), f"the claim failed: {call!r}"
        assert models.Request.objects.get(attempts=call.attempt_id).account == in_use


# --- A workstation that a scan sees alive while a person says that it has ended ---


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite locks no rows")
def test_nobody_ends_what_is_seen_alive_at_this_moment(sandbox, alice, olga, settings):
    settings.PORTAL_RECONCILE_GRACE = 0.0  # a day is over at once
    workstation = factories.create_workstation(alice)
    models.Workstation.objects.update(missing_since=Now(), missing_tick=1)

    with transaction.atomic():
        missing.note_found(stored=models.Workstation.objects.select_for_update().get())
        declaring = crowd.start(partial(missing.declare_ended, actor=olga, workstation=workstation))
        crowd.await_lock()

    with pytest.raises(missing.NotMissing):
        declaring.result()
    assert models.Workstation.objects.get().is_live
