"""What operators decide: each with a reason, each refused when things have moved on."""

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.reconciliation import operator_actions
from portal.services.requests import submissions
from tests import factories
from tests.services.reconciling import make_orphan, make_unknown, statuses

pytestmark = pytest.mark.django_db(transaction=True)


def get_event(verb: str) -> models.Event:
    return factories.find_event(verb)


def adopt(olga: models.User, portal_request: models.Request, workstation: models.Workstation) -> None:
    operator_actions.adopt_workstation(
        actor=olga, portal_request=portal_request, workstation=workstation, reason="The times fit."
    )


# --- Adopt ---


def test_an_operator_says_that_an_orphan_was_made_for_an_unknown_request(sandbox, alice, olga):
    portal_request, orphan = make_unknown(sandbox, alice), make_orphan()
    models.Request.objects.update(operator_note="Undecided.")

    adopt(olga, portal_request, orphan)

    portal_request.refresh_from_db()
    orphan.refresh_from_db()
    assert (portal_request.status, portal_request.failure, portal_request.operator_note) == ("SUCCEEDED", "", "")
    assert (orphan.request, factories.get_workspace(orphan).owner) == (portal_request, alice)
    event = get_event("adopt")
    assert (event.actor_name, event.request_number, event.reason) == ("olga", portal_request.pk, "The times fit.")
    assert event.detail == {"workstation": "W1", "before": "UNKNOWN", "after": "SUCCEEDED"}


def test_an_operator_gives_an_orphan_to_a_request_that_queues_which_is_then_not_sent(sandbox, alice, olga):
    portal_request = factories.submit(alice)
    orphan = make_orphan(made_for=portal_request)
    adopt(olga, portal_request, orphan)
    portal_request.refresh_from_db()
    assert (portal_request.status, factories.reread(orphan).made_for) == ("SUCCEEDED", None)
    assert factories.claim_next() is None


@pytest.mark.parametrize("status", ["QUEUED", "SENDING", "SUCCEEDED", "FAILED", "CANCELLED"])
def test_of_a_request_that_is_not_unknown_nothing_is_said(sandbox, alice, olga, status):
    portal_request, orphan = factories.submit(alice), make_orphan()
    ended = {} if status in ("QUEUED", "SENDING") else {"ended_at": Now(), "took": 1}
    models.Request.objects.update(status=status, failure="422" if status == "FAILED" else "", **ended)
    with pytest.raises(submissions.NotPossible):
        operator_actions.declare_not_created(actor=olga, portal_request=portal_request, reason="No.")
    if status != "QUEUED":
        with pytest.raises(submissions.NotPossible):
            adopt(olga, portal_request, orphan)
    assert factories.reread(orphan).request is None
    assert not models.Event.objects.filter(verb__in=["adopt", "not-created"]).exists()


@pytest.mark.parametrize("kind", ["owned", "nameless", "of another account"])
def test_what_is_nobodys_to_give_is_not_adopted(sandbox, settings, alice, bob, olga, kind):
    portal_request = make_unknown(sandbox, alice)
    if kind == "owned":
        workstation = factories.create_workstation(bob)
    elif kind == "nameless":
        workstation = make_orphan(is_nameless=True)
    else:
        settings.AGENTSTATION_BASE_URL = "https://elsewhere.example/v1"
        factories.present_key()
        workstation = make_orphan()
    with pytest.raises(submissions.NotPossible):
        adopt(olga, portal_request, workstation)
    assert statuses(portal_request) == ["UNKNOWN"]


# --- Not created ---


@pytest.mark.parametrize(("is_wanted", "becomes"), [(True, "QUEUED"), (False, "CANCELLED")])
def test_an_operator_says_that_nothing_was_made_and_what_is_wanted_is_sent(sandbox, alice, olga, is_wanted, becomes):
    portal_request = make_unknown(sandbox, alice)
    if not is_wanted:
        submissions.cancel_request(actor=alice, portal_request=portal_request)
    factories.ask_people(portal_request)
    before = models.Key.objects.values().get()
    operator_actions.declare_not_created(actor=olga, portal_request=portal_request, reason="Asked the provider.")
    assert (statuses(portal_request), portal_request.failure) == ([becomes], "")
    assert models.Key.objects.values().get() == before
    event = get_event("not-created")
    assert (event.actor_name, event.request_number, event.reason) == ("olga", portal_request.pk, "Asked the provider.")
    assert not is_wanted or factories.send_until_settled(portal_request).status == "SUCCEEDED"


# --- Release ---


def test_an_operator_gives_an_orphan_back_once(sandbox, alice, olga):
    orphan = factories.create_workstation(alice)
    models.Workstation.objects.update(request=None)

    operator_actions.release_orphan(actor=olga, workstation=orphan, reason="Nobody needs it.")
    with pytest.raises(submissions.NotPossible):
        operator_actions.release_orphan(actor=olga, workstation=orphan, reason="Again.")
    factories.send_releases()

    orphan.refresh_from_db()
    assert not orphan.is_live
    assert sandbox.record()["workstations"][0]["status"] == "completed"
    event = get_event("request-release")
    assert (event.actor_name, event.target, event.reason) == ("olga", f"workstation {orphan.uid}", "Nobody needs it.")
    with pytest.raises(submissions.NotPossible):
        operator_actions.release_orphan(actor=olga, workstation=orphan, reason="It has ended.")


def test_what_has_an_owner_or_was_there_before_us_is_no_orphan_to_give_back_or_to_disown(sandbox, alice, olga):
    owned = factories.create_workstation(alice)
    foreign = make_orphan(is_foreign=True)
    elsewhere = make_orphan("W2")
    former = models.Account.objects.create(base_url="https://former.example/v1")
    factories.update(elsewhere, account=former)
    for workstation in (owned, foreign, elsewhere):
        with pytest.raises(submissions.NotPossible):
            operator_actions.release_orphan(actor=olga, workstation=workstation, reason="No.")
        workstation.refresh_from_db()
        assert workstation.release_requested_at is None
    with pytest.raises(submissions.NotPossible):
        operator_actions.disown_workstation(actor=olga, workstation=owned, reason="It is another team's.")
    assert not factories.list_events("request-release").exists()
