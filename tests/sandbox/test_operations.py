"""Each operation of the contract, as it goes when nothing is wrong, and each refusal of it."""

import pytest
import requests

from portal.sandbox import items


def test_a_workspace_is_used_again_and_gathers_files_on(alice, clock, sandbox):
    first = alice.ask().json()
    clock.move(999)
    second = alice.ask("golang", first["workspace"]["id"]).json()
    clock.move(10)

    workspace = alice.call("GET", f"/workstations/{second['id']}").json()["workspace"]

    assert workspace["id"] == first["workspace"]["id"]
    names = [file["name"] for file in workspace["files"]["data"]]
    assert names == [*items.FILES["python"], items.FILES["golang"][0]]


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
