"""Accounts and keys: nothing is sent or settled with another account's key; an operator says what a key is."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker, credentials, key_lock
from portal.services.mirrors import refreshing, releases
from portal.services.reconciliation import scans
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import ACTIVE, scan, statuses

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_URL = "https://elsewhere.example/v1"


def take(name: str) -> leases.Lease:
    return factories.acquire_lease(name=name)


@pytest.fixture
def real(sandbox, settings):
    """The sandbox stands for a provider that costs money: another key is a question."""
    settings.USING_SANDBOX = False
    return sandbox


@pytest.fixture
def waiting(real, alice) -> models.Request:
    portal_request = factories.submit(alice)
    factories.present_key()
    return portal_request


def worker_dies() -> None:
    """As if the workers with an accepted key had not been seen for a minute."""
    models.Credential.objects.accepted().update(seen_at=Now() - timedelta(minutes=1))


def ask(settings, *, api_key: str = "another key", base_url: str = "") -> models.Credential:
    settings.AGENTSTATION_API_KEY = api_key
    settings.AGENTSTATION_BASE_URL = base_url or settings.AGENTSTATION_BASE_URL
    factories.present_key()
    return models.Credential.objects.asked().latest("pk")


def confirm(olga: models.User, asked: models.Credential, *, is_same_account: bool) -> None:
    credentials.confirm_key(actor=olga, credential=asked, is_same_account=is_same_account)


def read_key() -> models.Key:
    return accounts.get_current_account().key


def count_events(verb: str) -> int:
    return factories.list_events(verb).count()


# --- Which account a process serves ---


def test_the_first_process_makes_an_account_and_its_key_is_accepted(sandbox, settings):
    first = accounts.get_current_account()
    assert accounts.get_current_account() == first
    assert (first.base_url, first.baseline_scan, first.key.state) == (sandbox.base_url, "WANTED", "ACTIVE")
    assert accounts.is_key_accepted(account=first)


def test_of_two_accounts_in_use_a_process_serves_the_one_that_accepts_its_key(real, settings):
    first = accounts.get_current_account()
    second = models.Account.objects.create(base_url=OTHER_URL, salt=first.salt)
    models.Key.objects.create(account=second)
    assert accounts.get_current_account() == first
    settings.AGENTSTATION_BASE_URL = OTHER_URL
    assert accounts.get_current_account() == second, "by its base URL, while no account accepts it"
    models.Credential.objects.update(fingerprint=accounts.fingerprint_key(account=first))
    assert accounts.get_current_account() == first


def test_a_fingerprint_tells_nothing_of_the_key_and_changes_with_it_and_the_base_url(settings):
    account = accounts.get_current_account()
    settings.AGENTSTATION_API_KEY = "a-very-secret-key"
    first = accounts.fingerprint_key(account=account)
    assert len(first) == 16
    assert "secret" not in first
    settings.AGENTSTATION_API_KEY = "another-secret-key"
    second = accounts.fingerprint_key(account=account)
    settings.AGENTSTATION_BASE_URL = OTHER_URL
    third = accounts.fingerprint_key(account=account)
    account.salt = "of another database"
    assert len({first, second, third, accounts.fingerprint_key(account=account)}) == 4


def test_a_fingerprint_is_the_same_in_every_release(settings, slow_fingerprints):
    """Another would make every accepted key a question."""
    settings.AGENTSTATION_API_KEY = "a-very-secret-key"
    settings.AGENTSTATION_BASE_URL = OTHER_URL
    account = models.Account(base_url=OTHER_URL, salt="of this database")
    assert accounts.fingerprint_key(account=account) == "2da30c15eb6521ff"


def test_a_new_secret_key_is_no_new_key(waiting, settings):
    settings.SECRET_KEY = "another-secret-of-django-" + "y" * 50
    factories.present_key()
    assert count_events("ask-account") == 0
    assert factories.send_until_settled(waiting).status == "SUCCEEDED"


# --- A process with another base URL, such as a shell or a deployment ---


def test_another_base_url_cancels_nothing_and_sends_nothing(waiting, real, settings):
    ask(settings, base_url=OTHER_URL)

    assert factories.claim_next() is None
    assert factories.expire_overdue(lease=take("recover")) == 0
    factories.reconcile_once(take("reconcile"))
    assert statuses(waiting) == ["QUEUED"]
    assert real.record()["posts"] == []
    assert not models.Scan.objects.exists()
    assert read_key().state == "ACTIVE", "a worker with an accepted key lives"


def test_a_shell_with_another_base_url_asks_nobody_anything(waiting, settings):
    settings.AGENTSTATION_BASE_URL = OTHER_URL
    factories.claim_next(worker="shell")
    assert count_events("ask-account") == 0
    assert read_key().state == "ACTIVE"


def test_workstations_are_neither_refreshed_nor_given_back_with_another_key(real, settings, alice):
    station = factories.create_workstation(alice)
    releases.request_release(actor=alice, workstation=station)
    ask(settings, api_key="another key")
    assert take("refresh").run(refreshing.refresh_workstations, client=clients.make_client()) == 0
    assert releases.claim_release() is None
    station.refresh_from_db()
    assert station.is_live
    assert real.record()["workstations"][0]["status"] == "active"


def test_an_attempt_that_another_account_left_under_way_still_becomes_unknown(waiting, settings, olga):
    call = factories.claim()
    factories.make_overdue(call)
    confirm(olga, ask(settings, base_url=OTHER_URL), is_same_account=False)
    assert factories.expire_overdue(lease=take("recover")) == 1
    assert statuses(waiting) == ["UNKNOWN"]


# --- The question, and when it pauses ---


def test_in_a_rolling_change_the_old_worker_goes_on_and_the_new_one_waits(waiting, settings, olga):
    for _ in range(3):  # heartbeats of both, in turns
        asked = ask(settings)
        assert factories.claim_next(worker="new") is None
        settings.AGENTSTATION_API_KEY = "sandbox"
        factories.present_key()
        assert read_key().state == "ACTIVE"
        assert credentials.list_questions(account=accounts.get_current_account()) == [asked]
    assert (count_events("ask-account"), count_events("pause"), count_events("resume")) == (1, 0, 0)

    confirm(olga, asked, is_same_account=True)

    assert factories.send_until_settled(waiting).status == "SUCCEEDED"
    settings.AGENTSTATION_API_KEY = "another key"
    assert accounts.is_key_accepted(account=accounts.get_current_account())
    assert read_key().state == "ACTIVE"


def test_the_key_is_paused_while_no_worker_with_an_accepted_one_lives(waiting, settings, olga):
    worker_dies()
    asked = ask(settings)
    factories.present_key()

    key = read_key()
    assert (key.state, key.cause, key.paused_until, key.operator_only) == ("PAUSED", models.NEW_KEY, None, True)
    assert count_events("pause") == 1
    with pytest.raises(circuit_breaker.PauseRefused, match="which account the new key belongs to"):
        circuit_breaker.resume_key(actor=olga, account=key.account)

    confirm(olga, asked, is_same_account=True)
    assert read_key().state == "RESUMING"
    event = factories.find_event("confirm-key")
    accepted = [row.fingerprint for row in models.Credential.objects.accepted().order_by("pk")]
    assert len(accepted) == 2
    assert (event.actor_name, event.detail) == (
        "olga",
        {"is_same_account": True, "before": accepted[:1], "after": accepted},
    )


def test_a_worker_says_at_its_start_that_its_key_is_not_confirmed(waiting, settings, olga):
    assert credentials.find_warnings() == []
    asked = ask(settings)
    [warning] = credentials.find_warnings()
    assert "nothing is sent until an operator has answered" in warning
    confirm(olga, asked, is_same_account=True)
    assert credentials.find_warnings() == []


def test_a_key_that_no_worker_has_any_more_is_not_asked_about(waiting, settings):
    ask(settings)
    models.Credential.objects.update(seen_at=Now() - timedelta(hours=2))
    assert credentials.list_questions(account=accounts.get_current_account()) == []


def test_another_question_to_operators_is_not_replaced_by_this_one(waiting, settings):
    account = accounts.get_current_account()
    with transaction.atomic():
        key = key_lock.lock_key(account=account)
        now = clock.read_clock()
        circuit_breaker.pause_with_question(key=key, cause=models.DATABASE_MOVED, now=now)
    worker_dies()
    ask(settings)
    assert read_key().cause == models.DATABASE_MOVED


# --- Another account ---


def test_a_key_of_another_account_begins_anew_and_what_waited_is_cancelled(waiting, settings, alice, olga):
    old = accounts.get_current_account()
    old_url = old.base_url
    asked = ask(settings, base_url=old_url.replace("127.0.0.1", "localhost"), api_key="sandbox")
    confirm(olga, asked, is_same_account=False)

    new = accounts.get_current_account()
    old.refresh_from_db()
    assert new != old
    assert old.retired_at is not None
    assert (new.base_url, new.baseline_scan, new.key.state) == (asked.base_url, "WANTED", "ACTIVE")
    assert factories.claim_next() is None
    assert factories.expire_overdue(lease=take("recover")) == 1
    assert statuses(waiting) == ["CANCELLED"]
    assert old_url in factories.find_event("cancel").reason
    take("reconcile").run(scans.advance_scan, account=accounts.get_current_account(), client=clients.make_client())
    factories.submit(alice)
    assert factories.send_once().value is not None


def test_the_worker_of_the_left_account_waits_and_is_asked_about_in_its_turn(waiting, settings, olga):
    old, old_url = accounts.get_current_account(), settings.AGENTSTATION_BASE_URL
    confirm(olga, ask(settings, base_url=OTHER_URL), is_same_account=False)

    back = ask(settings, api_key="sandbox", base_url=old_url)
    assert back.account == accounts.get_current_account() != old
    assert read_key().state == "ACTIVE", "the worker of the account that was chosen lives"
    assert not accounts.is_key_accepted(account=back.account)


def test_the_account_of_a_key_that_comes_back_is_taken_up_again(waiting, settings, olga):
    old, old_url = accounts.get_current_account(), settings.AGENTSTATION_BASE_URL
    confirm(olga, ask(settings, base_url=OTHER_URL), is_same_account=False)
    confirm(olga, ask(settings, api_key="sandbox", base_url=old_url), is_same_account=False)

    assert accounts.get_current_account() == old
    assert accounts.is_key_accepted(account=old)
    assert models.Account.objects.filter(retired_at=None).count() == 1
    factories.send_once()
    assert statuses(waiting) == ["SUCCEEDED"]


# --- The sandbox ---


def test_a_real_key_leaves_the_sandbox_without_a_question(sandbox, settings, alice):
    waiting = factories.submit(alice)
    factories.present_key()
    settings.USING_SANDBOX = False
    settings.AGENTSTATION_API_KEY, settings.AGENTSTATION_BASE_URL = "a real key", OTHER_URL
    factories.present_key()

    assert accounts.get_current_account().base_url == OTHER_URL
    assert accounts.is_key_accepted(account=accounts.get_current_account())
    mine = factories.submit(alice)
    assert factories.expire_overdue(lease=take("recover")) == 1
    assert statuses(waiting, mine) == ["CANCELLED", "QUEUED"]
    assert count_events("pause") == 0


def test_the_sandbox_does_not_leave_a_real_account_without_a_response(waiting, settings):
    worker_dies()
    settings.USING_SANDBOX = True
    asked = ask(settings, base_url="http://127.0.0.1:8001/v1")
    assert asked.is_sandbox
    assert read_key().cause == models.NEW_KEY
    assert statuses(waiting) == ["QUEUED"]


# --- People who may not ask any more ---


@pytest.mark.parametrize("reason", ["deactivated", "out of the group"])
def test_what_waits_of_somebody_who_may_not_ask_any_more_is_not_bought(waiting, real, alice, bob, reason):
    if reason == "deactivated":
        factories.update(alice, is_active=False)
    else:
        alice.groups.clear()
    others = factories.submit(bob)
    assert factories.claim().attempt_id == others.attempts.get().pk
    assert factories.claim_next() is None

    assert factories.expire_overdue(lease=take("recover")) == 1
    assert statuses(waiting) == ["CANCELLED"]
    event = factories.find_event("cancel")
    assert (event.request_number, event.actor_name) == (waiting.pk, "")
    assert "may no longer request" in event.reason


def test_what_a_superuser_and_who_was_permitted_by_name_wait_for_is_sent(waiting, root, alice):
    alice.groups.clear()
    alice.user_permissions.add(Permission.objects.get(codename="submit_request"))
    factories.submit(root)
    assert factories.expire_overdue(lease=take("recover")) == 0
    for _ in range(2):
        factories.claim()


# --- A key that is refused: of one worker among others, or of calls that are no requests ---


@pytest.fixture
def revoked(sandbox, settings) -> models.Credential:
    """A key that was accepted and is not any more; from now on, this process has it. A worker lives with another."""
    factories.present_key()
    models.Credential.objects.update(is_sandbox=False)
    settings.AGENTSTATION_API_KEY = "former"
    factories.present_key()
    former = models.Credential.objects.asked().get()
    former.update_where(models.Credential.objects.all(), accepted_at=Now())
    return former


def test_a_401_of_one_worker_takes_back_its_key_and_pauses_nobody(sandbox, settings, alice, revoked):
    portal_request = factories.submit_and_send(alice)

    assert (statuses(portal_request), portal_request.attempt_count) == (["QUEUED"], 0)
    assert read_key().state == "ACTIVE"
    assert [one.pk for one in credentials.list_questions(account=accounts.get_current_account())] == [revoked.pk]
    assert factories.find_event("withdraw-key").detail["worker"] == "test-worker"
    assert factories.claim_next() is None, "not with this key"
    settings.AGENTSTATION_API_KEY = "sandbox"
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"


def test_a_worker_whose_probe_is_refused_leaves_it_to_another(sandbox, settings, alice, revoked):
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now(), probe_at=Now())
    held = factories.acquire_lease(name="probe", holder="former")
    with pytest.raises(leases.LeaseLost):
        held.run(credentials.probe_key, client=clients.make_client())
    assert read_key().state == "PAUSED"

    settings.AGENTSTATION_API_KEY = "sandbox"
    taken = factories.acquire_lease(name="probe", holder="good")
    models.Key.objects.update(probe_at=Now())
    assert taken.run(credentials.probe_key, client=clients.make_client())
    assert read_key().state == "RESUMING"


def find_probe() -> bool:
    """Whether the key is about to be probed, though it is not paused."""
    key = models.Key.objects.get()
    return not key.is_paused and key.probe_at is not None


def test_a_list_that_is_refused_has_the_key_probed(sandbox, lease, scan_in_every_round):
    factories.mark_baseline_scan()
    sandbox.script({"on": ACTIVE, "status": 401})
    scan(lease)
    assert find_probe()


def test_a_read_that_is_refused_has_the_key_probed(sandbox, alice, lease):
    factories.create_workstation(alice)
    models.Workstation.objects.update(refresh_due_at=Now())
    sandbox.script({"on": "GET /workstations", "status": 401})
    lease.run(refreshing.refresh_workstations, client=clients.make_client())
    assert find_probe()


def test_a_release_that_is_refused_has_the_key_probed(sandbox, alice):
    releases.request_release(actor=alice, workstation=factories.create_workstation(alice))
    sandbox.script({"on": "DELETE", "status": 401})
    factories.send_releases()
    assert find_probe()


def test_a_probe_that_is_refused_then_pauses_before_anybody_s_request_fails(sandbox, alice, lease, scan_in_every_round):
    factories.mark_baseline_scan()
    sandbox.script({"on": "*", "times": 2, "status": 401})
    scan(lease)
    assert not take("probe").run(credentials.probe_key, client=clients.make_client())
    assert read_key().state == "PAUSED"
    assert statuses(factories.submit(alice)) == ["QUEUED"]
