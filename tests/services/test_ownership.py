"""Everybody's own: a workspace is its first user's, whoever else names it, and no response gives it away."""

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.audit import verify
from portal.services.requests import notes, ownership, submissions
from tests import factories, queries
from tests.admin import rows
from tests.services.reconciling import ask, entry, scan, script_list, send_late, statuses

pytestmark = pytest.mark.django_db(transaction=True)


def make_entry(uid: str, workspace: str | None = None) -> dict[str, object]:
    space = {"id": workspace, "status": "active", "files": {"data": [{"id": "f", "name": "mine", "url": "http://x/"}]}}
    started = {"startedAt": "2026-01-02T03:04:05Z"}
    return {"id": uid, "type": "python", "status": "active", "workspace": space if workspace else None, **started}


def test_of_two_people_who_name_the_same_new_workspace_the_first_gets_in(sandbox, alice, bob):
    first, second = factories.submit(alice, workspace_uid="new-space"), factories.submit(bob, workspace_uid="new-space")
    sandbox.script({"status": 200, "body": make_entry("W1", "new-space")})
    call = factories.claim()
    assert factories.claim_next() is None, "whose the workspace is, is not known yet"
    factories.finish(call)
    factories.update(second, next_attempt_at=Now())

    assert factories.claim_next() is None

    assert statuses(first, second) == ["SUCCEEDED", "FAILED"]
    assert second.failure == "422"
    assert models.Workspace.objects.get(uid="new-space").owner == alice
    assert len(sandbox.record()["posts"]) == 1


def test_a_response_without_the_named_workspace_makes_it_its_requesters(sandbox, alice, bob):
    factories.submit(alice, workspace_uid="new-space")
    sandbox.script({"status": 200, "body": make_entry("W1")})
    factories.send_once()
    assert models.Workspace.objects.get(uid="new-space").owner == alice
    with pytest.raises(submissions.WorkspaceNotFound):
        factories.submit(bob, workspace_uid="new-space")


def test_a_response_that_names_anothers_workstation_changes_nothing_of_it(sandbox, alice, bob):
    owned = factories.create_workstation(alice)
    names = [field.attname for field in models.Workstation._meta.fields if field.name != "end_set_at"]
    rows = models.Workstation.objects.filter(pk=owned.pk).values(*names)
    before = rows.get()
    portal_request = factories.submit(bob)
    sandbox.script({"status": 200, "body": make_entry(owned.uid, factories.get_workspace(owned).uid)})
    factories.send_once()
    assert statuses(portal_request) == ["UNKNOWN"]
    assert rows.all().get() == before, "but that it counts as unused from now on"
    assert not models.File.objects.filter(name="mine").exists()
    assert portal_request.attempt_count == 1
    assert portal_request.attempts.get().names_taken


@pytest.mark.parametrize("is_late", [False, True])
def test_a_response_may_not_name_what_was_listed(sandbox, scan_in_every_round, alice, lease, recovering, is_late):
    factories.mark_baseline_scan()
    script_list(sandbox, entry("X1", workspace="S-x"))
    scan(lease)
    sandbox.script({"status": 200, "body": make_entry("X1", "S-x")})
    if is_late:
        portal_request, call, result = send_late(sandbox, alice, recovering)
        factories.record(call, result)
    else:
        portal_request = ask(sandbox, alice)
    scan(lease)
    assert (statuses(portal_request), portal_request.operator_note) == (["UNKNOWN"], notes.OTHERS)
    stranger = models.Workstation.objects.select_related("workspace").get(uid="X1")
    assert (stranger.request, stranger.made_for, factories.get_workspace(stranger).owner) == (None, None, None)


def answer_in(sandbox, requester: models.User, uid: str, space: str) -> models.Request:
    sandbox.script({"status": 200, "body": make_entry(uid, space)})
    return ask(sandbox, requester)


def test_a_workspace_that_two_people_are_given_unasked_is_nobodys_until_an_operator_says(sandbox, alice, bob, olga):
    requests = [answer_in(sandbox, person, f"W{place}", "all") for place, person in enumerate((alice, bob, alice))]
    assert statuses(*requests) == ["SUCCEEDED"] * 3
    space = models.Workspace.objects.get()
    assert space.owner is None
    assert models.Notice.objects.get(kind__startswith="responses to several people").numbers == [requests[1].pk]

    ownership.give_workspace(actor=olga, workspace=space, owner=alice, reason="It is hers.")
    with pytest.raises(ownership.NotFree):
        ownership.give_workspace(actor=olga, workspace=space, owner=bob, reason="It is his.")
    answer_in(sandbox, bob, "W9", "all")
    space.refresh_from_db()
    assert space.owner == alice
    assert factories.find_event("give-workspace").reason == "It is hers."
    assert [str(one) for one in verify.verify_log(rows=True).findings if "all" in str(one)] == []


def test_two_that_queue_again_in_one_workspace_do_not_wait_for_each_other(alice, bob):
    waiting = [factories.submit(person, workspace_uid="w-nobody-s") for person in (alice, bob)]
    for portal_request in waiting:
        rows.create_attempt(portal_request, outcome="UNKNOWN", failure="no-answer", token="t")

    assert [ownership.admit_requests(portal_requests=[one]) for one in waiting] == [waiting[:1], []]


def test_of_two_that_are_claimed_together_for_one_workspace_the_first_is_sent(alice, bob):
    waiting = [factories.submit(person, workspace_uid="w-nobody-s") for person in (alice, bob)]
    calls = factories.claim_requests(worker="w", most=16)
    assert [call.attempt_id for call in calls] == [waiting[0].attempts.get().pk]
    assert statuses(*waiting) == ["SENDING", "QUEUED"]


def test_many_that_wait_for_workspaces_are_put_off_by_one_statement(alice, bob):
    for number in range(12):
        factories.submit(alice, workspace_uid=f"space-{number}")
    assert len(factories.claim_requests(worker="w", most=16)) == 12
    waiting = [factories.submit(bob, workspace_uid=f"space-{number}") for number in range(12)]

    asked = queries.record(lambda: factories.claim_requests(worker="w", most=16))
    assert statuses(*waiting) == ["QUEUED"] * 12
    assert sum("next_attempt_at" in sql and sql.startswith("UPDATE") for sql in asked) == 1
    assert len(asked) < 30, "nothing is asked for each of them"
