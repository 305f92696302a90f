"""The faults: responses by chance, and lists that lie."""

from datetime import datetime, timedelta

import pytest

from tests.provider import wishes


def read_time(document: dict) -> datetime:
    return datetime.fromisoformat(document["startedAt"])


def test_calls_end_by_chance_each_operation_by_its_own(alice, sandbox):
    sandbox.set_faults(
        {
            "seed": 3,
            "mix": [
                {"share": 0.3, "status": 503},
                {"share": 0.2, "name": "fail-500-made"},
                {"on": "GET /workstations", "share": 1, "status": 500},
            ],
        }
    )

    answers = [alice.ask().status_code for _ in range(100)]

    assert 15 <= answers.count(503) <= 45
    assert 8 <= answers.count(500) <= 35
    assert answers.count(200) + answers.count(503) + answers.count(500) == 100
    assert len(sandbox.record()["workstations"]) == 100 - answers.count(503)
    assert alice.call("GET", "/workstations").status_code == 500
    assert alice.call("GET", "/workstations/history").status_code == 200


def test_the_same_seed_gives_the_same_faults(alice, sandbox):
    wish = {"seed": 5, "mix": [{"share": 0.5, "status": 503}]}
    sandbox.set_faults(wish)
    first = [alice.ask().status_code for _ in range(20)]
    sandbox.set_faults(wish)

    assert [alice.ask().status_code for _ in range(20)] == first


def test_script_and_reserved_names_come_before_the_faults(alice, sandbox):
    sandbox.set_faults({"mix": [{"share": 1, "status": 503}]})
    sandbox.script({"status": 418})

    assert [alice.ask().status_code, alice.ask(workspace="fail-422").status_code] == [418, 422]
    assert alice.ask().status_code == 503


def test_a_reset_ends_all_faults(alice, sandbox):
    sandbox.set_faults({"mix": [{"share": 1, "status": 503}], "shows_after": 5})

    sandbox.reset()

    uid = alice.ask().json()["id"]
    assert alice.uids() == [uid]


def test_a_workstation_may_show_late_in_lists_only(alice, sandbox, clock):
    sandbox.set_faults({"shows_after": 2})
    uid = alice.ask().json()["id"]

    assert alice.uids() == []
    assert alice.call("GET", f"/workstations/{uid}").status_code == 200
    clock.move(2)
    assert alice.uids() == [uid]


def test_the_providers_clock_may_be_off(alice, sandbox, clock):
    right = alice.ask().json()
    sandbox.set_faults({"clock_off": 3600})

    wrong = alice.ask().json()

    assert read_time(wrong) - read_time(right) == timedelta(hours=1)
    assert alice.read(right["id"]).json()["startedAt"] == right["startedAt"], "as the clock was then"
    clock.move(1)
    # It reads what it is asked by the same clock.
    assert alice.uids(after=right["startedAt"]) == [wrong["id"], right["id"]]
    assert alice.uids(before=wrong["startedAt"]) == []


def test_pages_may_shift_when_a_workstation_comes_or_ends(alice, sandbox):
    uids = [alice.ask().json()["id"] for _ in range(6)][::-1]
    sandbox.set_faults({"pages_shift": True})
    first = alice.page(limit=2)
    assert [workstation["id"] for workstation in first["data"]] == uids[:2]

    alice.ask()
    second = alice.page(limit=2, cursor=first["next_cursor"])
    assert [workstation["id"] for workstation in second["data"]] == uids[1:3]
    for uid in uids[:2]:
        alice.call("DELETE", f"/workstations/{uid}/release")
    last = alice.page(limit=2, cursor=second["next_cursor"])

    # uids[3:5] have moved up, past the reader.
    assert [workstation["id"] for workstation in last["data"]] == uids[5:]
    assert last["next_cursor"] is None


@pytest.mark.parametrize(
    "wish",
    [
        5,
        {"colour": "grey"},
        {"mix": {}},
        {"mix": [5]},
        {"mix": [{"status": 500}]},
        {"mix": [{"share": 2, "status": 500}]},
        {"mix": [{"share": 0.5, "status": 500, "times": 3}]},
        {"mix": [{"share": 0.5, "name": "sunny"}]},
        {"seed": "x"},
        {"clock_off": "1"},
        {"clock_off": 1e9},
        {"shows_after": -1},
        {"pages_shift": 1},
    ],
)
def test_faults_that_make_no_sense_are_refused_and_the_old_ones_stay(alice, sandbox, wish):
    sandbox.set_faults({"mix": [{"share": 1, "status": 503}]})

    with pytest.raises(wishes.ScriptError):
        sandbox.set_faults(wish)
    assert alice.control("POST", "faults", json=wish).status_code == 400
    assert alice.ask().status_code == 503


def test_the_faults_over_http(alice):
    assert alice.control("POST", "faults", json={"mix": [{"share": 1, "status": 418}]}).status_code == 200
    assert alice.control("POST", "faults", data="no JSON").status_code == 400
    assert alice.ask().status_code == 418
