"""Accounts: rows of one are never sent, settled or refreshed with another's key; an operator says what a key is."""

from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services import accounts, dispatch, keyhold, leases, recover, refreshing, releases, scans
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

FORMER = "0123456789abcdef"


def take(name: str) -> leases.Held:
    held = leases.take_lease(name=name, holder="test", seconds=600)
    assert held is not None
    return held


@pytest.fixture
def changed_key(sandbox, alice) -> models.Request:
    """A request that waits while the server's key is another than the one that was confirmed."""
    waiting = factories.submit(alice)
    models.Key.objects.update(fingerprint=FORMER)
    return waiting


def confirm(olga: models.User, *, is_same_account: bool) -> None:
    account = accounts.get_current_account()
    keyhold.confirm_key(actor=olga, account=account, is_same_account=is_same_account)


# --- One account for each base URL ---


def test_an_account_is_made_once_for_each_base_url_with_a_key_that_is_open(sandbox, settings):
    first = accounts.get_current_account()
    assert accounts.get_current_account() == first
    assert (first.base_url, first.first_look, first.key.state) == (sandbox.base_url, "WANTED", "OPEN")
    settings.AGENTSTATION_BASE_URL = "https://elsewhere.example/v1"
    assert accounts.get_current_account() != first
    assert models.Account.objects.count() == 2


def test_a_fingerprint_tells_nothing_of_the_key_and_changes_with_it(settings):
    settings.AGENTSTATION_API_KEY = "a-very-secret-key"
    first = accounts.fingerprint_key()
    assert len(first) == 16
    assert "secret" not in first
    settings.AGENTSTATION_API_KEY = "another-secret-key"
    assert accounts.fingerprint_key() != first


def test_what_waits_for_another_base_url_is_cancelled_with_a_reason_and_never_sent(sandbox, settings, alice):
    waiting = factories.submit(alice)
    old_url = settings.AGENTSTATION_BASE_URL
    settings.AGENTSTATION_BASE_URL = old_url.replace("127.0.0.1", "localhost")
    mine = factories.submit(alice)

    assert recover.recover_requests(held=take("recover")) == 1

    waiting.refresh_from_db()
    mine.refresh_from_db()
    assert (waiting.status, mine.status) == ("CANCELLED", "QUEUED")
    event = models.Event.objects.get(verb="cancel")
    assert event.request_number == waiting.pk
    assert old_url in event.reason
    assert factories.send_until_settled(mine).status == "SUCCEEDED"
    assert len(sandbox.record()["posts"]) == 1


def test_workstations_of_another_account_are_not_refreshed_or_given_back(sandbox, settings, alice):
    station = factories.create_workstation(alice)
    releases.ask_release(actor=alice, workstation=station)
    settings.AGENTSTATION_BASE_URL = sandbox.base_url.replace("127.0.0.1", "localhost")
    assert refreshing.refresh_workstations(held=take("refresh"), client=process.make_client()) == 0
    assert releases.claim_release() is None
    station.refresh_from_db()
    assert station.is_live
    assert sandbox.record()["workstations"][0]["status"] == "active"


def test_an_attempt_that_another_account_left_under_way_still_becomes_unknown(sandbox, settings, alice):
    portal_request = factories.submit(alice)
    call = factories.claim()
    models.Attempt.objects.filter(pk=call.attempt_id).update(deadline_at=Now() - timedelta(seconds=1))
    settings.AGENTSTATION_BASE_URL = "https://elsewhere.example/v1"
    assert recover.recover_requests(held=take("recover")) == 1
    portal_request.refresh_from_db()
    assert portal_request.status == "UNKNOWN"


# --- A new key for the same base URL ---


def test_a_changed_key_holds_the_queue_until_an_operator_has_answered(sandbox, changed_key, olga):
    assert dispatch.claim_request(worker="w") is None
    assert dispatch.claim_request(worker="w") is None

    key = models.Key.objects.get()
    assert (key.state, key.cause, key.held_until, key.operator_only) == ("HELD", models.NEW_KEY, None, True)
    assert (key.fingerprint, key.new_fingerprint) == (FORMER, accounts.fingerprint_key())
    assert models.Event.objects.filter(verb="hold").count() == 1
    with pytest.raises(keyhold.NotHeld):
        keyhold.resume_key(actor=olga, account=accounts.get_current_account())
    assert sandbox.record()["posts"] == []


def test_a_key_of_the_same_account_resumes_and_what_waited_is_sent(sandbox, changed_key, olga):
    dispatch.claim_request(worker="w")
    confirm(olga, is_same_account=True)

    assert models.Account.objects.count() == 1
    key = models.Key.objects.get()
    assert (key.state, key.fingerprint, key.new_fingerprint) == ("RESUMING", accounts.fingerprint_key(), "")
    assert factories.send_until_settled(changed_key).status == "SUCCEEDED"
    assert models.Key.objects.get().state == "OPEN"
    event = models.Event.objects.get(verb="confirm-key")
    assert (event.actor_name, event.detail) == (
        "olga",
        {"is_same_account": True, "before": "0123456789abcdef", "after": accounts.fingerprint_key()},
    )


def test_a_key_of_another_account_begins_anew_and_what_waited_is_cancelled(sandbox, changed_key, alice, olga):
    dispatch.claim_request(worker="w")
    old = accounts.get_current_account()
    confirm(olga, is_same_account=False)

    new = accounts.get_current_account()
    old.refresh_from_db()
    assert new != old
    assert old.retired_at is not None
    assert (new.first_look, new.key.state, new.key.fingerprint) == ("WANTED", "OPEN", accounts.fingerprint_key())
    assert dispatch.claim_request(worker="w") is None
    recover.recover_requests(held=take("recover"))
    changed_key.refresh_from_db()
    assert changed_key.status == "CANCELLED"
    scans.advance_scan(account=accounts.get_current_account(), held=take("reconcile"), client=process.make_client())
    factories.submit(alice)
    assert factories.send_once().workstation is not None


@pytest.mark.parametrize("is_same_account", [True, False])
@pytest.mark.parametrize("second_answer", [True, False])
def test_a_second_operator_s_answer_comes_too_late(sandbox, changed_key, olga, is_same_account, second_answer):
    dispatch.claim_request(worker="w")
    account = accounts.get_current_account()
    keyhold.confirm_key(actor=olga, account=account, is_same_account=is_same_account)
    accounts_then = models.Account.objects.count()
    with pytest.raises(keyhold.NotHeld):
        keyhold.confirm_key(actor=olga, account=account, is_same_account=second_answer)
    assert models.Account.objects.count() == accounts_then
    assert models.Event.objects.filter(verb="confirm-key").count() == 1


def test_nobody_is_asked_whose_account_it_is_while_the_key_is_the_same(sandbox, alice, olga):
    factories.submit(alice)
    with pytest.raises(keyhold.NotHeld):
        confirm(olga, is_same_account=False)
    assert models.Account.objects.count() == 1


def test_the_former_key_coming_back_resumes_by_itself(sandbox, settings, alice):
    waiting = factories.submit(alice)
    settings.AGENTSTATION_API_KEY = "another key"
    assert dispatch.claim_request(worker="w") is None
    assert models.Key.objects.get().cause == models.NEW_KEY

    settings.AGENTSTATION_API_KEY = "sandbox"

    assert factories.send_once().workstation is not None
    assert waiting.attempts.get().outcome == "SUCCEEDED"
    assert models.Key.objects.get().state == "OPEN"


def test_a_third_key_asks_again(sandbox, settings, alice):
    factories.submit(alice)
    for name in ("second", "third"):
        settings.AGENTSTATION_API_KEY = name
        dispatch.claim_request(worker="w")
        assert models.Key.objects.get().new_fingerprint == accounts.fingerprint_key()
    assert models.Event.objects.filter(verb="hold").count() == 2


def test_no_look_is_made_with_a_key_that_nobody_has_confirmed_and_settling_asks_too(sandbox, changed_key):
    factories.reconcile_once(take("reconcile"))
    assert not models.Scan.objects.exists()
    assert models.Key.objects.get().cause == models.NEW_KEY


def test_a_key_without_a_fingerprint_takes_the_present_one(sandbox, alice):
    waiting = factories.submit(alice)
    models.Key.objects.update(fingerprint="")
    assert factories.send_until_settled(waiting).status == "SUCCEEDED"
    assert models.Key.objects.get().fingerprint == accounts.fingerprint_key()
