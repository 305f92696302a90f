"""What the provider says, as the portal keeps it."""

import json

import pytest
from django.db import transaction

from portal import agentstation, models
from portal.models.clock import Now
from portal.services import accounts, leases, mirror, storable, workstations
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def answer(**changes: object) -> dict[str, object]:
    return {
        "id": "Il4lMTpQUC3L",
        "type": "python",
        "status": "active",
        "startedAt": "2026-01-02T03:04:05Z",
        "workspace": {
            "id": "bMf1euMgczAY",
            "status": "active",
            "createdAt": "2026-01-02T03:04:05Z",
            "files": {"data": [{"id": "f1", "name": "a.txt", "url": "https://files.example/a", "size": 3}]},
            "logs": {"data": [{"id": "l1", "type": "boot", "level": "info"}]},
        },
    } | changes


def store(document: dict[str, object], portal_request: models.Request | None = None) -> models.Workstation:
    with transaction.atomic():
        stored = mirror.store_workstation(
            account=accounts.get_current_account(),
            workstation=agentstation.Workstation.from_dict(document),
            request_number=None,
        )
        if portal_request is not None:
            mirror.give_workstation(stored=stored, portal_request=portal_request)
        return stored


@pytest.fixture
def held() -> leases.Held:
    taken = leases.take_lease(name="refresh", holder="test", seconds=60)
    assert taken is not None
    return taken


def refresh(held: leases.Held) -> None:
    models.Workstation.objects.update(refresh_due_at=Now())
    workstations.refresh_workstations(held=held, client=process.make_client())


def test_the_same_thing_twice_is_an_update():
    store(answer())
    document = answer(status="completed")
    document["workspace"]["files"]["data"][0]["size"] = 4
    store(document)

    workstation = models.Workstation.objects.get()
    assert (workstation.status, workstation.is_live) == ("completed", False)
    assert [file.size for file in models.File.objects.all()] == [4]
    assert models.Log.objects.count() == models.Workspace.objects.count() == 1


def test_a_workspace_belongs_to_whoever_first_used_it_here(sandbox, alice, bob):
    store(answer(), factories.submit(alice))
    store(answer(id="another"), factories.submit(bob))

    assert models.Workspace.objects.get().owner == alice


def test_a_workspace_that_nobody_has_used_yet_gets_its_owner_later(alice):
    store(answer())
    assert models.Workspace.objects.get().owner is None
    store(answer(), factories.submit(alice))
    assert models.Workspace.objects.get().owner == alice


def test_what_a_database_refuses_is_escaped_and_the_rest_kept_as_it_came():
    document = answer(status="\x00odd\ud800", type="<b>new</b>")
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
    assert (len(files["big"].name), files["big"].size) == (10_000, None)
    assert json.loads(files["big"].raw)["size"] == 2**63
    assert files["negative"].size == -1
    assert files["ancient"].created_at is None


def test_a_workstation_without_a_storable_name_is_an_unreadable_answer(sandbox, alice):
    sandbox.script([{"status": 200, "body": answer(id="x" * 201)}])
    portal_request = factories.send_until_settled(factories.submit(alice))
    assert (portal_request.status, portal_request.failure) == ("UNKNOWN", "unreadable")


@pytest.mark.parametrize("body", ["<html>hello</html>", "", "[]", '{"type": "python"}', '{"id": 7}', "[" * 100_000])
def test_a_200_that_cannot_be_read_is_unknown_and_kept(sandbox, alice, body):
    sandbox.script([{"status": 200, "body": body}])

    portal_request = factories.send_until_settled(factories.submit(alice))

    assert (portal_request.status, portal_request.failure) == ("UNKNOWN", "unreadable")
    assert bytes(portal_request.attempts.get().answer) == body.encode()


def test_error_texts_that_a_database_refuses_are_escaped(sandbox, alice):
    sandbox.script([{"status": 400, "body": '{"error": "bad\\u0000", "message": "\\ud800 <script>"}'}])

    attempt = factories.send_until_settled(factories.submit(alice)).attempts.get()

    assert (attempt.error, attempt.message) == ("bad\\x00", "\\ud800 <script>")


def test_refreshing_brings_files_logs_and_the_end(sandbox, alice, held):
    workstation = factories.create_workstation(alice)
    sandbox.script(
        [
            {"on": "GET /workstations/{id}", "status": 200, "body": answer(id=workstation.uid)},
            {"on": "GET /workstations/{id}", "status": 200, "body": answer(id=workstation.uid, status="completed")},
        ]
    )
    refresh(held)
    assert models.File.objects.filter(uid="f1").exists()
    assert models.Log.objects.filter(uid="l1").exists()

    refresh(held)
    workstation.refresh_from_db()
    assert (workstation.status, workstation.is_live) == ("completed", False)
    assert models.Event.objects.filter(verb="ended").count() == 1


def test_a_workstation_that_the_provider_has_no_more_has_ended(sandbox, alice, held):
    workstation = factories.create_workstation(alice)
    sandbox.reset()
    refresh(held)
    workstation.refresh_from_db()
    assert not workstation.is_live


def test_one_that_cannot_be_refreshed_is_left_for_a_minute(sandbox, alice, held):
    workstation = factories.create_workstation(alice)
    sandbox.script([{"on": "GET /workstations/{id}", "status": 500, "body": {"error": "e", "message": "m"}}])
    refresh(held)
    workstation.refresh_from_db()
    assert workstation.is_live
    assert (workstation.refresh_due_at - workstation.refreshed_at).total_seconds() > 50


def test_workstations_of_another_base_url_are_never_refreshed(sandbox, settings, alice, held):
    factories.create_workstation(alice)
    settings.AGENTSTATION_BASE_URL = "http://127.0.0.1:9/v1"
    models.Workstation.objects.update(refresh_due_at=Now())
    assert workstations.refresh_workstations(held=held, client=process.make_client()) == 0


def test_nothing_is_refreshed_with_a_key_that_is_held(sandbox, alice, held):
    factories.create_workstation(alice)
    factories.send_until_settled(factories.submit(alice, workspace_uid="fail-401"))
    models.Workstation.objects.update(refresh_due_at=Now())
    assert workstations.refresh_workstations(held=held, client=process.make_client()) == 0


def test_giving_back_reaches_the_provider_and_ends_the_workstation(sandbox, alice, held):
    workstation = factories.create_workstation(alice)
    workstations.ask_release(actor=alice, workstation=workstation)
    with pytest.raises(workstations.NotLive):
        workstations.ask_release(actor=alice, workstation=workstation)

    workstations.refresh_workstations(held=held, client=process.make_client())

    workstation.refresh_from_db()
    assert not workstation.is_live
    assert sandbox.record()["workstations"][0]["status"] == "completed"
    assert list(models.Event.objects.filter(verb__in=["ask-release", "released"]).values_list("verb", flat=True)) == [
        "ask-release",
        "released",
    ]


def test_numbers_and_times_out_of_range_become_nothing():
    assert storable.fit_number(2**63) is None
    assert storable.fit_number(None) is None
    assert storable.fit_number(0) == 0
    assert storable.fit_time(None) is None
