"""What the provider says, as the portal keeps it."""

import json

import pytest
from django.db import transaction

from portal import agentstation, models
from portal.services.key import accounts
from portal.services.mirrors import mirror
from tests import factories
from tests.services.mirroring import response, store

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_thing_twice_is_an_update():
    store(response())
    document = response(status="completed")
    document["workspace"]["files"]["data"][0]["size"] = 4
    store(document)

    workstation = models.Workstation.objects.get()
    assert (workstation.status, workstation.is_live) == ("completed", False)
    assert [file.size for file in models.File.objects.all()] == [4]
    assert models.Log.objects.count() == models.Workspace.objects.count() == 1


def test_a_workspace_belongs_to_whoever_first_used_it_here(sandbox, alice, bob):
    store(response())
    assert models.Workspace.objects.get().owner is None
    store(response(), factories.submit(alice))
    store(response(id="another"), factories.submit(bob))
    assert models.Workspace.objects.get().owner == alice


def test_a_response_without_a_workspace_has_that_which_was_asked_for_and_else_none(sandbox, alice):
    store(response(workspace=None), factories.submit(alice))
    assert not models.Workspace.objects.exists()
    asked = store(response(id="another", workspace=None), factories.submit(alice, workspace_uid="S1"))
    assert factories.get_workspace(asked).uid == "S1"


def test_what_a_database_refuses_is_escaped_and_the_rest_kept_as_it_came():
    document = response(status="\x00odd\ud800", type="<b>new</b>")
    document["workspace"]["files"]["data"] = [
        {"id": "big", "name": "n" * 10_000, "url": "javascript:alert(1)", "size": 2**63},
        {"id": "negative", "name": "\u202eexe.txt", "url": "x", "size": -1},
        {"id": "\x00", "name": "no usable name"},
        {"id": "f" * 201, "name": "no usable name either"},
        {"id": "ancient", "name": "a", "createdAt": "0001-01-01T00:00:00+14:00"},
    ]
    store(document)

    workstation = models.Workstation.objects.get()
    files = {file.uid: file for file in models.File.objects.all()}
    assert (workstation.status, workstation.type) == ("\\x00odd\\ud800", "<b>new</b>")
    assert set(files) == {"big", "negative", "ancient"}
    assert (len(files["big"].name), files["big"].size) == (500, None)
    assert json.loads(files["big"].raw)["size"] == 2**63
    assert files["negative"].size == -1
    assert files["ancient"].created_at is None


def test_a_workstation_without_a_storable_name_is_an_unreadable_answer(sandbox, alice):
    sandbox.script([{"status": 200, "body": response(id="x" * 201)}])
    portal_request = factories.submit_and_settle(alice)
    assert (portal_request.status, portal_request.failure) == ("UNKNOWN", "unreadable")


@pytest.mark.parametrize("body", ["<html>hello</html>", "", "[]", '{"type": "python"}', '{"id": 7}', "[" * 100_000])
def test_a_200_that_cannot_be_read_is_unknown_and_kept(sandbox, alice, body):
    sandbox.script([{"status": 200, "body": body}])

    portal_request = factories.submit_and_settle(alice)

    assert (portal_request.status, portal_request.failure) == ("UNKNOWN", "unreadable")
    assert factories.read_response(portal_request.attempts.get()) == body.encode()


def test_error_texts_that_a_database_refuses_are_escaped(sandbox, alice):
    sandbox.script([{"status": 400, "body": '{"error": "bad\\u0000", "message": "\\ud800 <script>"}'}])

    attempt = factories.submit_and_settle(alice).attempts.get()

    assert (attempt.error, attempt.message) == ("bad\\x00", "\\ud800 <script>")


# --- What a response to a POST may change ---


def store_response(portal_request: models.Request | None, document: dict[str, object]) -> models.Workstation:
    told, account = agentstation.Workstation.from_dict(document), accounts.get_current_account()
    with transaction.atomic():
        return mirror.store_response(account=account, workstation=told, portal_request=portal_request)


def test_a_response_does_not_change_what_another_request_owns(sandbox, alice, bob):
    hers = store(response(), factories.submit(alice))
    document = response(type="max", status="completed")
    document["workspace"]["id"] = "elsewhere"

    assert store_response(factories.submit(bob), document) == hers

    hers.refresh_from_db()
    assert (hers.type, hers.status, hers.is_live) == ("python", "active", True)
    assert factories.get_workspace(hers).uid == "bMf1euMgczAY"
    assert not models.Workspace.objects.filter(uid="elsewhere").exists()


def test_a_response_does_not_change_the_contents_of_somebody_else_s_workspace(sandbox, alice, bob):
    store(response(), factories.submit(alice))
    document = response(id="his")
    document["workspace"] |= {"status": "archived"}
    document["workspace"]["files"]["data"] = [{"id": "f1", "name": "b.txt"}, {"id": "f2", "name": "c.txt"}]

    his = store_response(factories.submit(bob), document)

    assert his.workspace == models.Workspace.objects.get()
    assert (his.workspace.owner, his.workspace.status) == (alice, "active")
    assert [file.name for file in models.File.objects.all()] == ["a.txt"]


def test_a_lost_response_does_not_change_the_contents_of_anybody_s_workspace(sandbox, alice):
    store(response(), factories.submit(alice))
    document = response(id="lost")
    document["workspace"]["files"]["data"] = [{"id": "f2", "name": "c.txt"}]
    assert factories.get_workspace(store_response(None, document)).owner == alice
    assert [file.name for file in models.File.objects.all()] == ["a.txt"]


def test_a_response_brings_the_contents_of_one_s_own_or_nobody_s_workspace(sandbox, alice):
    portal_request = factories.submit(alice)
    store_response(portal_request, response())
    store(response(), portal_request)
    document = response(id="another")
    document["workspace"]["files"]["data"] = [{"id": "f2", "name": "c.txt"}]
    store_response(factories.submit(alice), document)
    assert {file.name for file in models.File.objects.all()} == {"a.txt", "c.txt"}


def test_a_list_s_entry_is_not_taken_as_stored_with_its_files():
    account = accounts.get_current_account()
    told = agentstation.Workstation.from_dict(response())
    mirror.store_listed(account=account, entries={told.uid: told}, are_over=False, foreign=frozenset())
    stored = models.Workstation.objects.get()
    assert not mirror.is_known(stored=stored, workstation=told)
    with transaction.atomic():
        mirror.store_workstation(stored=stored, workstation=told)
    assert mirror.is_known(stored=stored, workstation=told)
