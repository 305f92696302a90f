"""API changes becomes a notice, once, and breaks nothing."""

from collections.abc import Mapping, Sequence

import pytest
from django.db import connection

from portal import agentstation, models
from portal.agentstation import contract, resources
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.mirrors import contract_drift, refreshing, releases, types
from portal.services.reconciliation import scans
from portal.services.runtime import clients
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

WORKSTATION = {"id": "w1", "type": "max", "status": "active", "startedAt": "2026-01-02T03:04:05Z"}
WORKSPACE = {"id": "s1", "status": "active", "createdAt": "2026-01-02T03:04:05Z"}
FILE = {"id": "f1", "name": "a", "url": "https://files.example/a", "size": 1, "createdAt": "2026-01-02T03:04:05Z"}
LOG = {"id": "l1", "type": "boot", "level": "info", "createdAt": "2026-01-02T03:04:05Z"}


def find(**changes: object) -> set[str]:
    document = {name: value for name, value in (WORKSTATION | changes).items() if value != "-"}
    return {deviation.kind for deviation in agentstation.Workstation.from_entry(document).deviations}


def within(*, files: Sequence[object] = (), logs: Sequence[object] = (), **changes: object) -> dict[str, object]:
    return {"workspace": WORKSPACE | {"files": {"data": list(files)}, "logs": {"data": list(logs)}} | changes}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, set()),
        (within(files=(FILE,), logs=(LOG, LOG | {"url": "https://x.example/"})), set()),
        ({"type": "quantum"}, {"workstation has the type quantum"}),
        ({"status": "paused"}, {"workstation has the status paused"}),
        ({"name": "box"}, {"workstation has a field name"}),
        ({"startedAt": "-"}, {"workstation lacks startedAt"}),
        (within(status="frozen"), {"workspace has the status frozen"}),
        (within(files=(FILE | {"hash": "x"},)), {"file has a field hash"}),
        (within(logs=(LOG | {"level": "trace"},)), {"log has the level trace"}),
        (
            {"type": ["a"], "status": {"b": 1}},
            {"workstation has the type ['a']", "workstation has the status {'b': 1}"},
        ),
        ({"id": "-"}, {"workstation lacks id"}),
        (within(files=({"name": "a", "size": 1},)), {"file lacks createdAt", "file lacks id", "file lacks url"}),
        ({"workspace": [], "files": 3}, {"workstation has a field files"}),
        (within(files=(None, 3, [FILE]), logs=(LOG | {"level": None},)), {"log lacks level"}),
        (
            within(files=(FILE | {"size": None, "x": 1}, FILE | {"y": 1})),
            {"file has a field x", "file has a field y", "file lacks size"},
        ),
    ],
)
def test_what_differs_from_the_contract_is_named(changes, kinds):
    assert find(**changes) == kinds


@pytest.mark.parametrize(
    ("listed", "kinds"),
    [
        ({"object": "list", "data": [FILE]}, set()),
        ({"data": [], "total": 3}, {"list has a field total"}),
        ({"data": [], "object": "page"}, {"list has the object page"}),
        ({"data": 3, "object": None}, set()),
    ],
)
def test_what_differs_in_a_list_of_files_is_named(listed, kinds):
    assert find(workspace=WORKSPACE | {"files": listed}) == kinds


def respond(sandbox, requester: models.User, **changes: object) -> models.Request:
    sandbox.script({"status": 200, "body": WORKSTATION | changes})
    return factories.submit_and_send(requester)


def test_a_notice_is_raised_once_and_names_the_requests(sandbox, alice):
    numbers = [respond(sandbox, alice, id=f"w{number}", type="quantum").pk for number in range(3)]
    notice = models.Notice.objects.get()
    assert (notice.kind, notice.numbers) == ("workstation has the type quantum", numbers)
    assert '"type": "quantum"' in notice.example
    event = factories.find_event("notice")
    assert (event.target, event.request_number) == ("notice workstation has the type quantum", numbers[0])


def test_its_example_lets_nobody_in_and_breaks_nothing(sandbox, alice):
    bad = {
        "color\x00\ud800": "x" * 10_000,
        "link": "https://files.example/a?token=secret#more",
        "n": {"deep": "y" * 500},
    }
    respond(sandbox, alice, **bad)
    for notice in models.Notice.objects.all():
        assert "secret" not in notice.example
        assert len(notice.example) <= 4000
    assert models.Notice.objects.count() == 3
    assert models.Request.objects.get().status == "SUCCEEDED"


def test_no_secret_is_in_an_example(sandbox, alice):
    bad = {
        "deep": {
            "link": "https://anna:hidden@files.example/a?sig=hidden",
            "api_key": "hidden",
            "tokens": [{"x": ["hidden"]}],
        },
        "accessToken": "hidden",
        "status": 'see {"accessToken": "hidden"}',
        "text": "Look at https://files.example/a?token=hidden now.",
    }
    respond(sandbox, alice, **bad)
    examples = " ".join(map(" ".join, models.Notice.objects.values_list("kind", "example")))
    assert "hidden" not in examples
    assert "Look at (address not shown) now." in examples
    assert '"accessToken": "(not shown)"' in examples


@pytest.mark.parametrize(
    ("status", "body", "kinds"),
    [
        (401, {"error": "Unauthorized", "message": "no key"}, set()),
        (401, {"error": "Unauthorized"}, {"error lacks message"}),
        (422, {"error": "x", "message": "y", "hint": "z"}, {"error has a field hint"}),
        (429, "slow down", {"the response 429 is no JSON object"}),
        (418, {"error": "x", "message": "y"}, {"a response has the HTTP status 418"}),
        (403, "", {"a response has the HTTP status 403"}),
        (200, {"type": "max", "status": "active", "startedAt": "2026-01-02T03:04:05Z"}, {"workstation lacks id"}),
        (200, [], {"the response 200 is no JSON object"}),
        (503, {"error": "x", "message": "y"}, set()),
        (503, "a gateway's page", set()),
        (502, "a gateway's page", set()),
    ],
)
def test_responses_that_refuse_or_cannot_be_read_are_compared_too(sandbox, alice, status, body, kinds):
    sandbox.script({"status": status, "body": body})
    number = factories.submit(alice).pk
    factories.send_once()
    assert set(models.Notice.objects.values_list("kind", flat=True)) == kinds
    assert [notice.numbers for notice in models.Notice.objects.all()] == [[number]] * len(kinds)


def test_lists_and_releases_are_compared_too(sandbox, alice, settings):
    factories.mark_baseline_scan()
    page = {"data": [WORKSTATION | {"id": f"w{number}", "status": "paused"} for number in range(3)], "total": 3}
    sandbox.script({"on": "GET /workstations", "status": 200, "body": page})
    lease = factories.acquire_lease(name="settle")
    lease.run(scans.advance_scan, account=accounts.get_current_account(), client=clients.make_client())
    assert [(notice.kind, notice.numbers) for notice in models.Notice.objects.order_by("id")] == [
        ("list has a field total", []),
        ("workstation has the status paused", []),
    ]
    assert "w1" not in models.Notice.objects.get(kind="list has a field total").example
    stored = factories.create_workstation(alice)
    releases.request_release(actor=alice, workstation=stored)
    sandbox.script({"on": "DELETE", "status": 200, "body": {"type": "max", "refund": 3}})
    release = factories.claim_release()
    result = releases.send_release(release=release, client=clients.make_client())
    releases.record_release(release=release, result=result)
    assert {notice.kind: notice.numbers for notice in models.Notice.objects.filter(kind__startswith="release")} == {
        "release has a field refund": [stored.request_id],
        "release lacks released": [stored.request_id],
    }


def test_a_list_that_is_refused_is_compared_too(sandbox):
    factories.mark_baseline_scan()
    sandbox.script({"on": "GET /workstations", "status": 404, "body": {"error": "none here"}})
    lease = factories.acquire_lease(name="settle")
    lease.run(scans.advance_scan, account=accounts.get_current_account(), client=clients.make_client())
    assert models.Notice.objects.get().kind == "a response has the HTTP status 404"


def test_nothing_is_compared_in_a_transaction(sandbox, alice, monkeypatch):
    compared: list[str] = []

    def find(*, name: str, document: Mapping[str, object]) -> tuple[agentstation.Deviation, ...]:
        assert not connection.in_atomic_block
        compared.append(name)
        return find_deviations(name=name, document=document)

    find_deviations = contract.find_deviations
    monkeypatch.setattr(contract, "find_deviations", find)
    monkeypatch.setattr(resources, "find_deviations", find)
    lease = factories.acquire_lease(name="settle")
    client = clients.make_client()
    stored = factories.create_workstation(alice)
    models.Workstation.objects.update(refresh_due_at=Now())
    lease.run(refreshing.refresh_workstations, client=client)
    lease.run(scans.advance_scan, account=accounts.get_current_account(), client=client)
    lease.run(types.read_types, client=client)
    releases.request_release(actor=alice, workstation=stored)
    factories.send_releases()
    sandbox.script({"status": 422, "body": {"error": "x", "message": "y", "hint": "z"}})
    factories.submit_and_send(alice)
    assert set(compared) == {"workstation", "list", "type", "release", "error"}
    assert models.Notice.objects.get().kind == "error has a field hint"


def test_who_makes_up_fields_does_not_fill_the_record(sandbox, alice, monkeypatch):
    monkeypatch.setattr(contract_drift, "MOST_NOTICES", 30)
    for start in (0, 100):
        respond(sandbox, alice, id=f"w{start}", **{f"field-{number}": 1 for number in range(start, start + 50)})
    kinds = list(models.Notice.objects.order_by("id").values_list("kind", flat=True))
    assert len(kinds) == 31
    assert kinds[-1] == "more differences than are kept"
    assert factories.list_events("notice").count() == 31
    respond(sandbox, alice, id="again", **{"field-0": 1})
    assert models.Notice.objects.count() == 31
    assert len(models.Notice.objects.get(kind="workstation has a field field-0").numbers) == 2
