"""What somebody did with a right that only SQL gave them, for a moment, is signed as theirs: verifying names it."""

from collections.abc import Callable
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from portal import agentstation, models
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import required, verify
from portal.services.connections import sharing
from portal.services.key import accounts, circuit_breaker
from portal.services.mirrors import contract_drift, naming, releases
from portal.services.people import membership
from portal.services.reconciliation import operator_actions
from portal.services.requests import submissions
from tests import factories
from tests.audit import watching
from tests.audit.changing import change_group, change_person, promote
from tests.audit.conftest import find, respond, tamper

pytestmark = pytest.mark.django_db


# What is one's own, what everybody may who sees it, and what the portal does by itself.
FREE = {
    *(Verb.SIGN_IN, Verb.SIGN_IN_BLOCKED, Verb.SIGN_IN_FAILED, Verb.SIGN_OUT, Verb.END_SESSIONS, Verb.CHANGE_PASSWORD),
    *(Verb.SET_UP, Verb.USE_LINK, Verb.SET_TIME_ZONE, Verb.NAME_WORKSPACE, Verb.EXPORT, Verb.REFUSED),
    *(Verb.OPEN_CONNECTION, Verb.END_CONNECTION, Verb.SHARE, Verb.END_SHARE),
    *(Verb.CLAIM, Verb.RESPONSE, Verb.LATE_RESPONSE, Verb.STRAY_RESPONSE, Verb.DEADLINE_PASSED, Verb.GIVE_UP),
    *(Verb.WORKER_DIED, Verb.WITHDRAW_KEY),
    *(Verb.RECONCILE, Verb.NEEDS_REVIEW, Verb.BASELINE_SCAN, Verb.BEGIN_DOUBT, Verb.CLEAR_DOUBT, Verb.REOPEN),
    *(Verb.RELEASED, Verb.ENDED, Verb.REFUSE_WORKSPACE, Verb.NOTE_SHARING, Verb.NOTICE, Verb.CHANGE_TYPES),
    *(Verb.ACTIVATE, Verb.PROBE, Verb.ASK_ACCOUNT, Verb.FIRST_KEY, Verb.DATABASE_CHANGED),
    *(Verb.CHECKED, Verb.FINDING, Verb.PRUNE, Verb.RESTORE, Verb.RESTORED, Verb.SETTINGS, Verb.CLOCK_STEP),
}


def test_of_each_verb_it_is_known_what_right_it_needs():
    needed, of_others = required.ALWAYS.keys(), required.OF_OTHERS.keys()
    assert {*needed, *of_others, *FREE} == set(Verb)
    assert not (needed | of_others) & FREE


def act(actor: models.User, do: Callable[[models.User], object]) -> tuple[str, str]:
    """Let the person do it; gives the finding that there must be about the event."""
    do(models.User.objects.get(pk=actor.pk))
    return "not allowed", f"event {models.Event.objects.latest('id').pk}"


def resume(actor: models.User) -> None:
    respond(factories.submit(models.User.objects.get(username="bob")), failure="401")
    circuit_breaker.resume_key(actor=actor, account=accounts.get_current_account())


def acknowledge(actor: models.User) -> None:
    deviation = agentstation.Deviation(kind="workstation has a field color", example={})
    contract_drift.note_deviations(deviations=[deviation])
    contract_drift.acknowledge_notices(actor=actor, numbers=[models.Notice.objects.get().pk])


def release(actor: models.User) -> None:
    theirs = models.Workstation.objects.filter(request__requester__username="bob").earliest("id")
    releases.request_release(actor=actor, workstation=theirs, reason="It is so.")


def cancel(actor: models.User) -> None:
    portal_request = factories.submit(models.User.objects.get(username="bob"))
    submissions.close_request(actor=actor, portal_request=portal_request, reason="It is so.")


ACTS = [resume, acknowledge, release, cancel]


@contextmanager
def being_superuser(person: models.User):
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", True, person.pk)
    yield
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", False, person.pk)


@contextmanager
def being_operator(person: models.User):
    operators = Group.objects.get(name="Operators")
    tamper("INSERT INTO portal_user_groups (user_id, group_id) VALUES (%s, %s)", person.pk, operators.pk)
    yield
    tamper("DELETE FROM portal_user_groups WHERE user_id = %s AND group_id = %s", person.pk, operators.pk)


@contextmanager
def members_being_operators(person: models.User):
    """Of all members."""
    members, operators = Group.objects.get(name="Members"), Group.objects.get(name="Operators")
    had = list(members.permissions.all())
    members.permissions.add(*operators.permissions.all())
    yield
    members.permissions.set(had)


@pytest.mark.parametrize("given", [being_superuser, being_operator, members_being_operators])
@pytest.mark.parametrize("do", ACTS)
def test_an_act_with_a_right_that_sql_gave_and_took_is_named(cast, alice, given, do):
    with given(alice):
        expected = act(alice, do)
    assert find() == [expected]


def test_it_is_named_within_the_hour(cast, alice, monkeypatch):
    watching.check()
    with being_operator(alice):
        expected = act(alice, cancel)
    watching.check_hour_later(monkeypatch)
    assert watching.list_found() == [expected]


def test_what_a_person_did_whom_no_event_added_is_named_after_they_are_gone(cast, alice):
    """Nobody is left to compare: the act is."""
    mallory = factories.create_user("mallory", is_superuser=True)
    expected = act(mallory, cancel)
    tamper("DELETE FROM portal_user WHERE id = %s", mallory.pk)
    assert find() == [expected]


def test_what_somebody_did_under_another_name_is_named(cast, alice):
    tamper("UPDATE portal_user SET username = 'olga2' WHERE id = %s", alice.pk)
    expected = act(alice, lambda actor: factories.submit(actor))
    tamper("UPDATE portal_user SET username = 'alice' WHERE id = %s", alice.pk)
    assert find() == [expected]


def test_somebody_with_another_name_is_still_who_they_were(cast, root, olga):
    change_person(root, models.User.objects.get(pk=olga.pk), username="olga2")
    act(olga, cancel)
    assert find() == []


def test_somebody_who_is_no_longer_active_does_nothing(cast, root, olga):
    change_person(root, olga, is_active=False)
    for number in range(100):  # so many may have been under way
        with transaction.atomic():
            audit.record(Verb.PROBE, str(number))
    expected = act(olga, cancel)
    assert find() == [expected]


@pytest.mark.parametrize("do", ACTS)
def test_an_operator_may(cast, olga, do):
    act(olga, do)
    assert find() == []


def test_own_rows_need_no_right(cast, bob):
    act(bob, release)
    act(bob, cancel)
    assert find() == []


@pytest.mark.parametrize("do", [*ACTS, promote])
def test_an_administrator_may(cast, root, do):
    act(root, do)
    assert find() == []


def test_a_right_counts_from_when_it_was_given_until_it_was_taken(cast, root, alice, olga):
    before = membership.describe(target=alice)
    alice.groups.add(Group.objects.get(name="Operators"))
    membership.record_change(actor=root, target=alice, before=before)
    act(alice, cancel)
    before = membership.describe(target=alice)
    alice.groups.remove(Group.objects.get(name="Operators"))
    membership.record_change(actor=root, target=alice, before=before)
    assert find() == []


def test_a_group_under_another_name_allows_what_it_did(cast, root, olga):
    change_group(root, Group.objects.get(name="Operators"), "Wardens")
    act(olga, cancel)
    assert find() == []
    with transaction.atomic():
        group = Group.objects.get(name="Wardens")
        membership.record_deletion(actor=root, target=group)
        group.delete()
    assert verify.verify_log().findings == []


# --- What is somebody else's ---


@contextmanager
def owning(person: models.User):
    """Bob's first workstation and workspace."""
    theirs = models.Workstation.objects.filter(request__requester__username="bob").earliest("id")
    own, bob = models.Request.objects.get(workstation__uid="w1"), models.User.objects.get(username="bob")
    tamper("UPDATE portal_workstation SET request_id = NULL WHERE request_id = %s", own.pk)
    tamper("UPDATE portal_workstation SET request_id = %s WHERE id = %s", own.pk, theirs.pk)
    tamper("UPDATE portal_workspace SET owner_id = %s WHERE id = %s", person.pk, theirs.workspace_id)
    yield models.Workstation.objects.get(pk=theirs.pk)
    tamper("UPDATE portal_workspace SET owner_id = %s WHERE id = %s", bob.pk, theirs.workspace_id)
    tamper("UPDATE portal_workstation SET request_id = %s WHERE id = %s", theirs.request_id, theirs.pk)
    tamper("UPDATE portal_workstation SET request_id = %s WHERE uid = 'w1'", own.pk)


def share(actor: models.User, workstation: models.Workstation) -> None:
    sharing.share_workstation(owner=actor, workstation=workstation, name="bob", level=models.Share.Level.WORK)


def end_share(actor: models.User, workstation: models.Workstation) -> None:
    sharing.end_share(share=models.Share.objects.get(), by=actor)


def release_own(actor: models.User, workstation: models.Workstation) -> None:
    releases.request_release(actor=actor, workstation=workstation)


def submit_into(actor: models.User, workstation: models.Workstation) -> None:
    factories.submit(actor, workspace_uid=factories.get_workspace(workstation).uid)


def name(actor: models.User, workstation: models.Workstation) -> None:
    naming.name_workspace(actor=actor, workspace=factories.get_workspace(workstation), name="mine")


@pytest.mark.parametrize("do", [share, release_own, submit_into, name])
def test_what_was_made_ones_own_for_a_moment_is_named(cast, alice, do):
    for number in range(100):  # so many may have been under way
        with transaction.atomic():
            audit.record(Verb.PROBE, str(number))
    with owning(alice) as workstation:
        expected = act(alice, lambda actor: do(actor, workstation))
    assert find() == [expected]
    (finding,) = verify.verify_log().findings
    assert "somebody else's then" in finding.words


def test_a_share_of_a_new_workstation_is_named_too(cast, alice):
    with owning(alice) as workstation:
        expected = act(alice, lambda actor: share(actor, workstation))
    assert find() == [expected]


def test_a_share_that_another_ends_is_named(cast, alice, bob):
    theirs = models.Workstation.objects.filter(request__requester=bob).earliest("id")
    sharing.share_workstation(owner=bob, workstation=theirs, name="alice", level=models.Share.Level.LOOK)
    expected = act(alice, lambda actor: end_share(actor, theirs))
    assert find() == [expected]


@pytest.mark.parametrize("do", [share, release_own, submit_into, name])
def test_ones_own_is_ones_own(cast, alice, do):
    own = models.Workstation.objects.filter(request__requester=alice).earliest("id")
    act(alice, lambda actor: do(actor, own))
    assert find() == []


def test_what_an_operator_gave_somebody_is_theirs(cast, olga, bob):
    """Adopted for a request, it was nobody's before."""
    unknown = respond(factories.submit(bob), failure="500")
    found = models.Workstation.objects.create(account=unknown.account, uid="w9", type="python")
    operator_actions.adopt_workstation(actor=olga, portal_request=unknown, workstation=found, reason="It is so.")
    act(bob, lambda actor: release_own(actor, models.Workstation.objects.get(pk=found.pk)))
    assert find() == []


@pytest.mark.parametrize("do", [share, release_own])
def test_what_was_ones_own_a_moment_ago_is_not_anothers(cast, alice, bob, olga, do):
    """It may have been looked at before another event gave it to somebody else."""
    own = models.Workstation.objects.get(uid="w1")
    theirs = factories.submit(bob)
    moved = models.Workstation.objects.get(pk=own.pk)
    with transaction.atomic():
        moved.request = theirs
        moved.save()
        audit.record(Verb.ADOPT, moved, by=olga, rows=[moved])
    tamper("UPDATE portal_workstation SET request_id = %s WHERE id = %s", own.request_id, own.pk)
    act(alice, lambda actor: do(actor, own))
    tamper("UPDATE portal_workstation SET request_id = %s WHERE id = %s", theirs.pk, own.pk)
    assert "not allowed" not in [kind for kind, _ in find()]
