"""Submitting, cancelling, closing."""

from uuid import uuid4

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.requests import submissions
from tests import factories
from tests.services.reconciling import statuses

pytestmark = pytest.mark.django_db


def test_a_request_and_its_first_event_are_stored_together(alice):
    portal_request = factories.submit(alice, type="golang", note="for the workshop")

    event = models.Event.objects.get(request_number=portal_request.pk)
    assert (portal_request.status, portal_request.note) == ("QUEUED", "for the workshop")
    assert (event.verb, event.actor_name, event.actor_id) == ("submit", "alice", alice.pk)
    assert event.detail == {"type": "golang", "workspace": ""}


def test_the_same_submission_again_is_the_same_request_but_of_somebody_else_another(alice, bob):
    submission = uuid4()
    first = factories.submit(alice, submission=submission)
    assert factories.submit(alice, submission=submission) == first
    with pytest.raises(submissions.SubmissionReused, match=first.label):
        factories.submit(alice, submission=submission, type="max")
    assert models.Request.objects.get() == first
    assert factories.submit(bob, submission=submission) != first


def test_the_same_submission_is_the_same_request_whoever_has_the_workspace_since(alice, bob):
    submission = uuid4()
    first = factories.submit(alice, submission=submission, workspace_uid="space")
    models.Workspace.objects.create(account=first.account, uid="space", owner=bob)
    assert factories.submit(alice, submission=submission, workspace_uid="space") == first
    with pytest.raises(submissions.WorkspaceNotFound):
        factories.submit(alice, workspace_uid="space")


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

    assert statuses(portal_request) == ["CANCELLED"]
    assert portal_request.ended_at is not None
    assert factories.find_event("cancel").actor_name == "alice"


@pytest.mark.django_db(transaction=True)
def test_an_operator_closes_an_unknown_request_with_a_reason(sandbox, alice, olga):
    portal_request = factories.submit_and_settle(alice, workspace_uid="reset")

    submissions.close_request(actor=olga, portal_request=portal_request, reason="Nothing in the provider's list.")

    portal_request.refresh_from_db()
    event = factories.find_event("close")
    assert (portal_request.status, portal_request.failure) == ("FAILED", "no-answer")
    assert (event.actor_name, event.reason) == ("olga", "Nothing in the provider's list.")
    with pytest.raises(submissions.NotPossible):
        submissions.close_request(actor=olga, portal_request=portal_request, reason="Again.")
