"""Submitting, cancelling, closing."""

import threading
from uuid import uuid4

import pytest
from django.db import connection

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.requests import submissions
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_request_and_its_first_event_are_stored_together(alice):
    portal_request = factories.submit(alice, type="golang", note="for the workshop")

    event = models.Event.objects.get(request_number=portal_request.pk)
    assert (portal_request.status, portal_request.note) == ("QUEUED", "for the workshop")
    assert (event.verb, event.actor_name, event.actor_id) == ("submit", "alice", alice.pk)
    assert event.detail == {"type": "golang", "workspace": ""}


def test_the_same_submission_again_is_the_same_request(alice):
    submission = uuid4()
    assert factories.submit(alice, submission=submission) == factories.submit(alice, submission=submission)
    assert models.Request.objects.count() == 1


def test_the_same_submission_is_the_same_request_whoever_has_the_workspace_since(alice, bob):
    submission = uuid4()
    first = factories.submit(alice, submission=submission, workspace_uid="space")
    models.Workspace.objects.create(account=first.account, uid="space", owner=bob)
    assert factories.submit(alice, submission=submission, workspace_uid="space") == first
    with pytest.raises(submissions.WorkspaceNotFound):
        factories.submit(alice, workspace_uid="space")


def test_the_same_submission_with_other_values_is_refused(alice):
    submission = uuid4()
    first = factories.submit(alice, submission=submission)
    with pytest.raises(submissions.SubmissionReused, match=first.label):
        factories.submit(alice, submission=submission, type="max")


def test_the_same_submission_of_somebody_else_is_another_request(alice, bob):
    submission = uuid4()
    assert factories.submit(alice, submission=submission) != factories.submit(bob, submission=submission)


@pytest.mark.django_db(transaction=True)
def test_ten_identical_submissions_at_once_are_one_request(alice):
    submission, barrier, numbers = uuid4(), threading.Barrier(10), []

    def post() -> None:
        barrier.wait()
        try:
            numbers.append(factories.submit(alice, submission=submission).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(numbers) == 10
    assert len(set(numbers)) == 1
    assert models.Event.objects.filter(verb="submit").count() == 1


def test_another_person_s_workspace_is_not_found(alice, bob):
    account = accounts.get_current_account()
    models.Workspace.objects.create(account=account, uid="ws-of-alice", owner=alice)

    assert factories.submit(alice, workspace_uid="ws-of-alice").pk
    with pytest.raises(submissions.WorkspaceNotFound):
        factories.submit(bob, workspace_uid="ws-of-alice")


def test_a_workspace_of_another_account_is_no_hindrance(alice, bob):
    elsewhere = models.Account.objects.create(base_url="https://elsewhere.example/v1", retired_at=Now())
    models.Workspace.objects.create(account=elsewhere, uid="ws-1", owner=alice)

    assert factories.submit(bob, workspace_uid="ws-1").pk


def test_a_rehearsal_workspace_is_everybody_s(alice, bob):
    account = accounts.get_current_account()
    models.Workspace.objects.create(account=account, uid="slow-5", owner=alice)

    assert factories.submit(bob, workspace_uid="slow-5").pk


def test_cancelling_takes_a_waiting_request_out_of_the_queue(alice):
    portal_request = factories.submit(alice)

    submissions.cancel_request(actor=alice, portal_request=portal_request)

    portal_request.refresh_from_db()
    assert portal_request.status == "CANCELLED"
    assert portal_request.ended_at is not None
    assert models.Event.objects.get(verb="cancel").actor_name == "alice"


def test_it_is_too_late_to_cancel_what_a_worker_has_claimed(alice):
    portal_request = factories.submit(alice)
    factories.claim()

    with pytest.raises(submissions.NotPossible):
        submissions.cancel_request(actor=alice, portal_request=portal_request)


@pytest.mark.django_db(transaction=True)
def test_an_operator_closes_an_unknown_request_with_a_reason(sandbox, alice, olga):
    portal_request = factories.send_until_settled(factories.submit(alice, workspace_uid="reset"))

    submissions.close_request(actor=olga, portal_request=portal_request, reason="Nothing in the provider's list.")

    portal_request.refresh_from_db()
    event = models.Event.objects.get(verb="close")
    assert (portal_request.status, portal_request.failure) == ("FAILED", "no-answer")
    assert (event.actor_name, event.reason) == ("olga", "Nothing in the provider's list.")
    with pytest.raises(submissions.NotPossible):
        submissions.close_request(actor=olga, portal_request=portal_request, reason="Again.")


def test_resuming_a_key_that_is_not_paused_is_refused(olga):
    with pytest.raises(circuit_breaker.PauseRefused):
        circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())
