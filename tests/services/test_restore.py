"""A backup was put back: what may have been sent since then is settled before anything is sent."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F

from portal import models
from portal.services import decisions, dispatch, leases, matching, restore
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

UNTIL_SURE = timedelta(seconds=131)


@pytest.fixture
def held(settings) -> leases.Held:
    settings.PORTAL_LOOK_INTERVAL = 0.0
    taken = leases.take_lease(name="reconcile", holder="test", seconds=600)
    assert taken is not None
    return taken


def look(held: leases.Held) -> None:
    factories.reconcile_once(held)


def buy_elsewhere(requester: models.User, workspace_uid: str = "") -> str:
    """What was bought after the backup: the provider has it, the restored portal knows nothing of it."""
    result = dispatch.send_call(
        call=dispatch.Call(attempt_id=0, type="python", workspace_uid=workspace_uid, send_before=float("inf")),
        client=process.make_client(),
    )
    assert result.workstation is not None
    return result.workstation.uid


def test_what_was_sent_after_the_backup_is_adopted_and_not_bought_again(sandbox, alice, held):
    portal_request = factories.submit(alice)
    call_command("restore", verbosity=0)
    assert dispatch.claim_request(worker="w") is None
    uid = buy_elsewhere(alice)

    look(held)

    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.workstation.uid) == ("SUCCEEDED", uid)
    assert len(sandbox.record()["workstations"]) == 1


def test_what_was_not_sent_is_sent_again_only_when_its_requester_says_so(sandbox, alice, bob, held):
    portal_request = factories.submit(alice)
    assert restore.restore_requests() == 1
    factories.create_workstation(bob, type="max")
    with factories.unprotected():
        models.Attempt.objects.update(
            **{name: F(name) - UNTIL_SURE for name in ("claimed_at", "deadline_at", "ended_at")}
        )
    look(held)
    look(held)
    portal_request.refresh_from_db()
    assert (portal_request.status, portal_request.operator_note) == ("UNKNOWN", matching.RESTORED)
    assert dispatch.claim_request(worker="w") is None

    decisions.declare_not_created(actor=alice, portal_request=portal_request)

    assert factories.send_once().workstation is not None
    assert len(sandbox.record()["posts"]) == 2


def test_what_has_ended_stays_as_it_is_and_all_is_in_the_record(sandbox, alice, olga):
    ended = factories.send_until_settled(factories.submit(alice))
    waiting = factories.submit(alice)
    assert restore.restore_requests() == 1
    assert restore.restore_requests() == 0
    ended.refresh_from_db()
    waiting.refresh_from_db()
    assert (ended.status, waiting.status, waiting.tries) == ("SUCCEEDED", "UNKNOWN", 0)
    assert models.Event.objects.get(verb="restored").request_number == waiting.pk
    assert [event.detail for event in models.Event.objects.filter(verb="restore").order_by("id")] == [
        {"requests": 1},
        {"requests": 0},
    ]


def test_its_page_says_why_it_waits(client, sandbox, alice):
    portal_request = factories.submit(alice)
    restore.restore_requests()
    client.force_login(alice)
    page = client.get(f"/requests/{portal_request.pk}/").text
    assert "put back from a backup" in page
    assert 'data-request-status="unknown"' in page
