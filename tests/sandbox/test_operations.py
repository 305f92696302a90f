"""Each operation of the contract, as it goes when nothing is wrong, and each refusal of it."""

import re

import pytest
import requests

from portal.sandbox import items


@pytest.mark.parametrize("type", items.TYPES)
def test_a_workstation_of_each_type_starts_active_in_a_new_workspace(alice, type):
    made = alice.ask(type).json()

    assert (made["type"], made["status"]) == (type, "active")
    assert made["workspace"]["files"] == made["workspace"]["logs"] == {"object": "list", "data": []}
    for uid, time in ((made["id"], made["startedAt"]), (made["workspace"]["id"], made["workspace"]["createdAt"])):
        assert re.fullmatch("[0-9A-Za-z]{12}", uid)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", time)


def test_a_workspace_is_used_again_and_gathers_files_on(alice, clock):
    first = alice.ask().json()
    clock.move(999)
    second = alice.ask("golang", first["workspace"]["id"]).json()
    clock.move(10)

    workspace = alice.call("GET", f"/workstations/{second['id']}").json()["workspace"]

    assert workspace["id"] == first["workspace"]["id"]
    names = [file["name"] for file in workspace["files"]["data"]]
    assert names == [*items.FILES["python"], items.FILES["golang"][0]]


def test_a_workspace_shows_its_newest_files_only(alice, clock, sandbox):
    sandbox.provider.store.items.most_shown = 2
    made = alice.ask().json()
    clock.move(100)

    workspace = alice.call("GET", f"/workstations/{made['id']}").json()["workspace"]

    assert [file["name"] for file in workspace["files"]["data"]] == list(items.FILES["python"][-2:])


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer wrong", "Basic sandbox", "bearer sandbox", "Bearer s\xe9"])
@pytest.mark.parametrize("operation", ["POST ", "GET ", "GET /history", "GET /x", "DELETE /x/release"])
def test_without_the_key_every_operation_is_refused(alice, sandbox, operation, key):
    method, _, path = operation.partition(" ")
    headers, address = {"Authorization": key.encode("latin-1")}, f"{sandbox.base_url}/workstations{path}"
    answer = requests.request(method, address, headers=headers, json={"type": "max"}, timeout=30)

    assert answer.status_code == 401
    assert answer.json()["message"] == "Unauthorized - missing or invalid API key."
    assert alice.uids() == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"type=python", b"\xff", b"[" * 100_000, b'["python"]', b"{}"),
        *(b'{"type": "Python"}', b'{"type": ["python"]}', b'{"type": null}'),
        b'{"type": "python", "workspace_id": null}',
        b'{"type": "python", "workspace_id": 5}',
    ],
)
def test_a_body_of_the_wrong_form_is_refused(alice, body):
    answer = alice.call("POST", "/workstations", data=body)

    assert answer.status_code == 400
    assert answer.json()["error"] == "Invalid Request Format"
    assert alice.uids() == []


def test_unknown_keys_are_passed_over(alice):
    assert alice.call("POST", "/workstations", json={"type": "max", "colour": "red"}).status_code == 200


@pytest.mark.parametrize("workspace", ["", "nowhere", "slow-601", "slow-", "slow-5s", "fail-403", "\ud800", "\0"])
def test_an_unknown_workspace_is_not_found(alice, workspace):
    answer = alice.ask("python", workspace)

    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Unprocessable Entity - cannot find requested asset")
    assert alice.uids() == []


def test_retrieve_and_release(alice):
    made = alice.ask("voip").json()

    assert alice.call("GET", f"/workstations/{made['id']}").json() == made
    answer = alice.call("DELETE", f"/workstations/{made['id']}/release")

    assert (answer.status_code, answer.json()) == (200, {"type": "voip", "released": True})
    assert alice.uids() == []
    (history,) = alice.page("/workstations/history")["data"]
    assert history == {**made, "status": "completed"}
    assert alice.call("GET", f"/workstations/{made['id']}").status_code == 422
    assert alice.call("DELETE", f"/workstations/{made['id']}/release").status_code == 422


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/workstations", "/v1/workstations/", "/v1/agents", "/v1/workstations/a/b", "/control/record"],
)
def test_an_unknown_address(sandbox, path):
    answer = requests.get(sandbox.url + path, timeout=30)

    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/workstations", "POST, GET"),
        ("DELETE", "/v1/workstations", "POST, GET"),
        ("POST", "/v1/workstations/history", "GET"),
        ("GET", "/v1/workstations/x/release", "DELETE"),
        ("TRACE", "/v1/workstations/x", "GET"),
        ("BREW", "/files/x", "GET"),
    ],
)
def test_a_wrong_method(alice, sandbox, method, path, allowed):
    answer = alice.session.request(method, sandbox.url + path, timeout=30)

    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["error"] == "Method Not Allowed"


def test_head_is_answered_without_a_body_on_a_connection_that_goes_on(alice, sandbox):
    assert alice.session.head(f"{sandbox.base_url}/workstations", timeout=30).status_code == 405
    assert alice.uids() == []
