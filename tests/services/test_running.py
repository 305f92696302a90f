"""Limits on what runs at once: what counts, for whom, and what is said where no more may run."""

from uuid import uuid4

import pytest
from django.conf import settings as present

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.people import policy
from portal.services.requests import running, submissions
from tests import factories, queries

pytestmark = pytest.mark.django_db


def set_limits(person: int = 0, team: int = 0) -> None:
    factories.set_policy(running_per_person=person, running=team)


def set_own(operator: models.User, person: models.User, limit: int | None) -> None:
    running.set_limit(actor=operator, person=person, limit=limit, reason="A workshop.")
    person.refresh_from_db()


def is_refused(person: models.User) -> bool:
    try:
        factories.submit(person)
    except running.Reached:
        return True
    return False


def run_one(person: models.User, **values: object) -> models.Workstation:
    portal_request = factories.submit(person)
    factories.update(portal_request, status="SUCCEEDED", ended_at=Now(), took=1)
    return models.Workstation.objects.create(
        account=portal_request.account, request=portal_request, uid=f"of-{portal_request}", **values
    )


def describe_left(person: models.User) -> str:
    account = accounts.get_current_account()
    return running.describe_left(uses=running.list_uses(decided=policy.read_policy(), account=account, person=person))


def test_a_person_s_own_limit_goes_before_the_portal_s_but_not_the_team_s(alice, bob, olga):
    set_limits(person=1)
    set_own(olga, alice, 2)
    assert [is_refused(alice) for _ in range(3)] == [False, False, True]
    assert [is_refused(bob) for _ in range(2)] == [False, True]
    for _ in range(2):
        set_own(olga, alice, 0)
    assert not is_refused(alice)
    set_limits(person=1, team=4)
    assert is_refused(alice)
    set_limits()
    set_own(olga, bob, 1)
    assert is_refused(bob), "though the portal has none"
    set_own(olga, bob, None)
    assert not is_refused(bob)

    events = models.Event.objects.filter(verb="set-limit", target="user alice").order_by("id")
    assert [event.detail for event in events] == [{"before": None, "after": 2}, {"before": 2, "after": 0}]
    assert {(event.actor_name, event.reason) for event in events} == {("olga", "A workshop.")}


def test_under_a_lower_limit_what_runs_goes_on_and_no_more_comes(alice, root):
    numbers = [factories.submit(alice).pk for _ in range(3)]
    assert describe_left(alice) == "", "there is no limit yet"
    policy.change_policy(actor=root, running_per_person=2, running=0)
    assert is_refused(alice)
    assert describe_left(alice) == "You can request no more workstations now: you have 3 of at most 2."
    for number in numbers[:2]:
        assert models.Request.objects.get(pk=number).status == "QUEUED"
        submissions.cancel_request(actor=alice, portal_request=models.Request.objects.get(pk=number))
    assert not is_refused(alice)


def test_the_same_form_again_is_the_same_request_at_the_limit_too(alice):
    submission = uuid4()
    first = factories.submit(alice, submission=submission)
    set_limits(person=1)
    assert factories.submit(alice, submission=submission) == first
    with pytest.raises(submissions.SubmissionReused):
        factories.submit(alice, submission=submission, type="max")
    with pytest.raises(running.Reached):
        factories.submit(alice)
    refusals = factories.list_events("refused")
    assert [event.target for event in refusals] == ["more than 1 workstations at once"]
    assert models.Request.objects.get() == first


def test_a_new_portal_begins_without_limits_and_a_change_is_one_event(alice, root):
    assert [is_refused(alice) for _ in range(2)] == [False, False]
    assert not models.Policy.objects.exists(), "only a change writes it"

    policy.change_policy(actor=root, running_per_person=2, running=7)
    policy.change_policy(actor=root, running_per_person=2, running=7)
    event = factories.find_event("change-policy")
    assert event.detail["before"] == {"running_per_person": 0, "running": 0}
    assert event.detail["after"] == {"running_per_person": 2, "running": 7}
    assert event.sentence == "root changed the policy of the portal"
    assert describe_left(alice).startswith("You can request no more workstations now: you have 2 of at most 2, and")


@pytest.mark.skipif(present.ON_SQLITE, reason="SQLite locks no rows")
@pytest.mark.parametrize(
    ("limits", "locked"),
    [
        ({}, []),
        ({"person": 9}, ["portal_user"]),
        ({"team": 9}, ["portal_policy"]),
        ({"person": 9, "team": 9}, ["portal_user", "portal_policy"]),
    ],
)
def test_a_submission_locks_what_has_a_limit_and_the_person_first(alice, limits, locked):
    set_limits(**limits)
    asked = queries.record(lambda: factories.submit(alice))
    assert [sql.split('FROM "')[1].split('"')[0] for sql in asked if " FOR " in sql] == locked
