"""What the database itself refuses."""

import itertools
from contextlib import nullcontext

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.models.request import IllegalTransition
from portal.services import audit
from portal.services.key import accounts
from tests import factories
from tests.properties.test_transitions import TABLE

pytestmark = pytest.mark.django_db


def refuse(change) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        change()


def refuse_update(model: type[Model], **values: object) -> None:
    refuse(lambda: model._default_manager.update(**values))


def test_the_table_of_transitions_is_the_design_s():
    assert {before: set(after) for before, after in models.TRANSITIONS.items()} == TABLE
    for before, after in itertools.product(models.Request.Status, repeat=2):
        with nullcontext() if after in TABLE[before] else pytest.raises(IllegalTransition):
            models.check_transition(before=before, after=after)


def test_a_request_s_columns_agree_with_its_status(alice):
    factories.submit(alice)
    for values in (
        {"status": "FAILED", "ended_at": Now(), "took": 1},
        {"status": "UNKNOWN", "was_unknown": True},
        {"status": "UNKNOWN", "failure": "no-answer"},
        {"status": "QUEUED", "failure": "400"},
        {"status": "SUCCEEDED"},
        {"status": "SUCCEEDED", "ended_at": Now()},
        {"took": 1},
        {"status": "QUEUED", "ended_at": Now(), "took": 1},
        {"status": "SENDING", "next_attempt_at": Now()},
    ):
        refuse_update(models.Request, **values)


def test_a_submission_is_one_request_and_only_a_new_workspace_is_given_a_name(alice):
    refuse(lambda: factories.submit(alice, workspace_uid="w", workspace_name="Plan"))
    first = factories.submit(alice)
    values = {"account": first.account, "requester": alice, "submission": first.submission, "type": "max"}
    refuse(lambda: models.Request.objects.create(**values))


def test_an_attempt_s_columns_agree_with_its_outcome_and_a_request_has_one_under_way(alice):
    portal_request = factories.submit(alice)
    factories.claim()
    refuse_update(models.Attempt, outcome="SUCCEEDED")
    refuse_update(models.Attempt, ended_at=Now())
    refuse_update(models.Attempt, outcome="FAILED", ended_at=Now())
    refuse_update(models.Attempt, outcome="SUCCEEDED", ended_at=Now(), failure="400")
    values = {"request": portal_request, "worker": "w", "deadline_at": Now()}
    refuse(lambda: models.Attempt.objects.create(number=2, **values))
    refuse(lambda: models.Attempt.objects.create(number=1, outcome="SUCCEEDED", ended_at=Now(), **values))


def test_a_workstation_is_of_at_most_one_request_and_named_once(alice):
    portal_request, account = factories.submit(alice), accounts.get_current_account()
    models.Workstation.objects.create(account=account, uid="w1", request=portal_request)
    refuse(lambda: models.Workstation.objects.create(account=account, uid="w2", request=portal_request))
    refuse(lambda: models.Workstation.objects.create(account=account, uid="w1"))
    refuse_update(models.Workstation, release_requested_at=Now())
    refuse_update(models.Workstation, release_requested_at=Now(), release_requested_by=alice)
    refuse_update(models.Workstation, release_due_at=Now())


def test_names_are_unique_within_what_they_belong_to():
    account = accounts.get_current_account()
    workspace = models.Workspace.objects.create(account=account, uid="s1")
    models.File.objects.create(workspace=workspace, uid="f1")
    models.Log.objects.create(workspace=workspace, uid="l1")
    refuse(lambda: models.Workspace.objects.create(account=account, uid="s1"))
    refuse(lambda: models.File.objects.create(workspace=workspace, uid="f1"))
    refuse(lambda: models.Log.objects.create(workspace=workspace, uid="l1"))
    refuse(lambda: models.Account.objects.create(base_url=account.base_url))


def test_a_key_is_known_once_to_an_account_and_nobody_accepts_it_without_a_time(alice):
    account = accounts.get_current_account()
    known = {"account": account, "fingerprint": "0123456789abcdef"}
    models.Credential.objects.create(**known, accepted_at=Now(), accepted_by=alice)
    refuse(lambda: models.Credential.objects.create(**known))
    refuse(lambda: models.Credential.objects.create(account=account, fingerprint="another", accepted_by=alice))


def test_a_hold_has_a_cause_and_a_start():
    accounts.get_current_account()
    refuse_update(models.Key, state="PAUSED")
    refuse_update(models.Key, cause="401")
    refuse_update(models.Key, paused_until=Now())


def test_a_notification_is_for_a_person_or_a_channel_and_sent_or_not(alice):
    models.Notification.objects.create(person=alice, kind="ready")
    refuse_update(models.Notification, person=None)
    refuse_update(models.Notification, channel="0123456789abcdef")
    refuse_update(models.Notification, sent_at=Now(), send_due_at=Now())
    refuse_update(models.Notification, sent_at=Now(), failure="HTTP 500")
    refuse_update(models.Notification, person=None, channel="0123456789abcdef", read_at=Now())


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused(alice):
    with pytest.raises(RuntimeError):
        audit.record(Verb.SIGN_IN, alice, by=alice)
