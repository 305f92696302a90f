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


def test_a_workspace_is_used_again_and_gathers_files_on(alice, clock, sandbox):
    first = alice.ask().json()
    clock.move(999)
    second = alice.ask("golang", first["workspace"]["id"]).json()
    clock.move(10)

    workspace = alice.call("GET", f"/workstations/{second['id']}").json()["workspace"]

    assert workspace["id"] == first["workspace"]["id"]
    names = [file["name"] for file in workspace["files"]["data"]]
    assert names == [*items.FILES["python"], items.FILES["golang"][0]]
    sandbox.provider.store.items.most_shown = 2
    workspace = alice.read(second["id"]).json()["workspace"]
    assert [file["name"] for file in workspace["files"]["data"]] == names[-2:], "the newest only"


def test_the_calls_of_the_provider_s_public_samples_are_taken(alice):
    for body in ({"name": "demo-workstation", "type": "default"}, {}):
        made = alice.call("POST", "/workstations", json=body).json()
        assert made["type"] == "default"
        assert alice.call("POST", f"/workstations/{made['id']}/browser/cdp", json={}).status_code == 200
        assert alice.call("DELETE", f"/workstations/{made['id']}").json() == {"type": "default", "released": True}


@pytest.mark.parametrize("operation", ["POST ", "GET ", "GET /history", "GET /x", "DELETE /x/release"])
def test_without_the_key_every_operation_is_refused(alice, sandbox, operation):
    method, _, path = operation.partition(" ")
    for key in ("", "Bearer", "Bearer wrong", "Basic sandbox", "bearer sandbox", "Bearer s\xe9"):
        headers, address = {"Authorization": key.encode("latin-1")}, f"{sandbox.base_url}/workstations{path}"
        answer = requests.request(method, address, headers=headers, json={"type": "max"}, timeout=30)
        assert answer.status_code == 401
        assert answer.json()["message"] == "Unauthorized - missing or invalid API key."
    assert alice.uids() == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"type=python", b"\xff", b"[" * 100_000, b'["python"]'),
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


def test_an_unknown_workspace_is_not_found(alice):
    for workspace in ("", "nowhere", "slow-601", "slow-", "slow-5s", "fail-403", "\ud800", "\0"):
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


def test_an_unknown_address(sandbox):
    others = ("workstations/", "agents", "workstations/a/b", "")
    for path in ("/", "/v1", "/workstations", "/control/record", *(f"/v1/{other}" for other in others)):
        answer = requests.get(sandbox.url + path, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


def test_a_wrong_method(alice, sandbox):
    for method, path, allowed in (
        ("PUT", "/v1/workstations", "POST, GET"),
        ("DELETE", "/v1/workstations", "POST, GET"),
        ("POST", "/v1/workstations/history", "GET"),
        ("GET", "/v1/workstations/x/release", "DELETE"),
        ("TRACE", "/v1/workstations/x", "GET, DELETE"),
        ("BREW", "/files/x", "GET"),
    ):
        answer = alice.session.request(method, sandbox.url + path, timeout=30)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
        assert answer.json()["error"] == "Method Not Allowed"
    assert alice.session.head(f"{sandbox.base_url}/workstations", timeout=30).status_code == 405
    assert alice.uids() == [], "the connection goes on"
