"""A key that AgentStation refuses: of one worker among others, or of calls that are no requests."""

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, credentials
from portal.services.mirrors import refreshing, releases
from portal.services.requests import dispatch, results
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import ACTIVE, scan, statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scan_in_every_round")]

REVOKED = {"status": 401}


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


def use_good_key(settings) -> None:
    settings.AGENTSTATION_API_KEY = "sandbox"


def read_state() -> str:
    return models.Key.objects.get().state


def test_a_401_of_one_worker_takes_back_its_key_and_pauses_nobody(sandbox, settings, alice, revoked):
    portal_request = factories.submit(alice)
    factories.send_once()

    assert (statuses(portal_request), portal_request.attempt_count) == (["QUEUED"], 0)
    assert read_state() == "ACTIVE"
    assert [one.pk for one in credentials.list_questions(account=accounts.get_current_account())] == [revoked.pk]
    assert models.Event.objects.get(verb="withdraw-key").detail["worker"] == "test-worker"
    assert factories.claim_next() is None, "not with this key"
    use_good_key(settings)
    assert factories.send_until_settled(portal_request).status == "SUCCEEDED"


def test_others_in_flight_with_it_are_sent_again_too(sandbox, alice, revoked):
    requests = [factories.submit(alice) for _ in range(2)]
    calls = [factories.claim() for _ in requests]
    for call in calls:
        results.record_result(call=call, result=dispatch.send_call(call=call, client=clients.make_client()))
    assert statuses(*requests) == ["QUEUED", "QUEUED"]
    assert models.Event.objects.filter(verb="withdraw-key").count() == 1


def test_a_401_pauses_where_the_other_worker_lives_no_longer(sandbox, alice, revoked):
    models.Credential.objects.exclude(pk=revoked.pk).update(seen_at=None)
    portal_request = factories.submit(alice)
    factories.send_once()
    assert (statuses(portal_request), read_state()) == (["FAILED"], "PAUSED")


def test_a_worker_whose_probe_is_refused_leaves_it_to_another(sandbox, settings, alice, revoked):
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now(), probe_at=Now())
    held = factories.acquire_lease(name="probe", holder="former")
    with pytest.raises(leases.LeaseLost):
        held.run(credentials.probe_key, client=clients.make_client())
    assert read_state() == "PAUSED"

    use_good_key(settings)
    taken = factories.acquire_lease(name="probe", holder="good")
    models.Key.objects.update(probe_at=Now())
    assert taken.run(credentials.probe_key, client=clients.make_client())
    assert read_state() == "RESUMING"


# --- Calls that are no requests ---


def find_probe() -> bool:
    """Whether the key is about to be probed, though it is not paused."""
    key = models.Key.objects.get()
    return not key.is_paused and key.probe_at is not None


def test_a_list_that_is_refused_has_the_key_probed(sandbox, lease):
    factories.mark_baseline_scan()
    sandbox.script({"on": ACTIVE, **REVOKED})
    scan(lease)
    assert find_probe()


def test_a_read_that_is_refused_has_the_key_probed(sandbox, alice, lease):
    factories.create_workstation(alice)
    models.Workstation.objects.update(refresh_due_at=Now())
    sandbox.script({"on": "GET /workstations", **REVOKED})
    lease.run(refreshing.refresh_workstations, client=clients.make_client())
    assert find_probe()


def test_a_release_that_is_refused_has_the_key_probed(sandbox, alice):
    releases.request_release(actor=alice, workstation=factories.create_workstation(alice))
    sandbox.script({"on": "DELETE", **REVOKED})
    factories.send_releases()
    assert find_probe()


def test_a_probe_that_is_refused_then_pauses_before_anybody_s_request_fails(sandbox, alice, lease):
    factories.mark_baseline_scan()
    sandbox.script({"on": "*", "times": 2, **REVOKED})
    scan(lease)
    assert not factories.acquire_lease(name="probe").run(credentials.probe_key, client=clients.make_client())
    assert read_state() == "PAUSED"
    assert statuses(factories.submit(alice)) == ["QUEUED"]
