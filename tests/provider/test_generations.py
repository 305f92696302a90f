"""The generations of types: which are taken, and what the list of them says."""

import pytest

from portal.sandbox import items
from tests.provider import generations
from tests.provider.wishes import ScriptError


def list_types(alice) -> dict:
    answer = alice.call("GET", "/workstations/types")
    assert answer.status_code == 200
    return answer.json()


def test_at_first_the_nine_are_listed_each_described(alice):
    listed = list_types(alice)["data"]
    assert [one["id"] for one in listed] == list(generations.NINE)
    assert all(one["description"] and one["software"] for one in listed)
    assert alice.ask("python").status_code == 200


def test_the_newer_generation_takes_default_alone(alice, sandbox):
    assert alice.control("POST", "types", json={"generation": "default"}).status_code == 200

    listed = list_types(alice)
    assert listed["data"]["object"] == "list"
    assert [one["id"] for one in listed["data"]["data"]] == ["default"]
    made = alice.ask("default")
    assert (made.status_code, made.json()["type"]) == (200, "default")
    assert {alice.ask(name).status_code for name in generations.NINE} == {400}
    assert len(sandbox.record()["workstations"]) == 1


def test_without_a_list_the_nine_are_taken(alice, sandbox):
    sandbox.change_types("none")
    assert alice.call("GET", "/workstations/types").status_code == 404
    assert alice.ask("golang").status_code == 200
    assert alice.ask("default").status_code == 400


def test_a_workstation_of_default_leaves_files_and_can_be_released(alice, sandbox, clock):
    sandbox.change_types("default")
    uid = alice.ask("default").json()["id"]
    clock.move(100)
    workspace = alice.call("GET", f"/workstations/{uid}").json()["workspace"]
    assert [file["name"] for file in workspace["files"]["data"]] == list(items.FILES["max"])
    assert alice.call("DELETE", f"/workstations/{uid}/release").json() == {"type": "default", "released": True}


def test_a_reset_brings_the_nine_back(alice, sandbox):
    sandbox.change_types("default")
    sandbox.reset()
    assert len(list_types(alice)["data"]) == 9


@pytest.mark.parametrize(
    "wish", [{}, {"generation": "tenth"}, {"generation": ["nine"]}, "nine", {"generation": "nine", "x": 1}]
)
def test_a_generation_that_there_is_not_is_refused(alice, sandbox, wish):
    sandbox.change_types("default")
    assert alice.control("POST", "types", json=wish).status_code == 400
    with pytest.raises(ScriptError):
        sandbox.change_types("tenth")
    assert alice.ask("default").status_code == 200


def test_the_list_of_types_wants_the_key_and_can_be_scripted(alice, sandbox):
    assert alice.call("GET", "/workstations/types", headers={"Authorization": "Bearer wrong"}).status_code == 401
    sandbox.script({"on": "GET /workstations/types", "status": 500})
    assert alice.call("GET", "/workstations/types").status_code == 500
    assert alice.call("POST", "/workstations/types").status_code == 405
