"""The habits of faults: how the provider lags, leaves out and exaggerates."""

from email.utils import parsedate_to_datetime

import pytest
import requests

HISTORY = "/workstations/history"
MIB = 1024 * 1024


def release(alice, uid):
    return alice.call("DELETE", f"/workstations/{uid}/release")


# --- Lags ---


def test_single_reads_may_lag_behind_the_lists(alice, sandbox, clock):
    sandbox.set_faults({"reads_after": 30})
    uid = alice.ask().json()["id"]
    clock.move(29)

    assert alice.read(uid).status_code == 422
    assert alice.uids() == [uid]
    clock.move(1)
    assert alice.read(uid).json()["id"] == uid


def test_the_history_may_lag_by_itself(alice, sandbox, clock):
    sandbox.set_faults({"history_shows_after": 90})
    uid = alice.ask().json()["id"]
    release(alice, uid)
    clock.move(89)

    assert (alice.uids(), alice.uids(HISTORY)) == ([], [])
    clock.move(1)
    assert alice.uids(HISTORY) == [uid]


def test_the_active_list_may_go_on_to_show_what_has_ended(alice, sandbox, clock):
    sandbox.set_faults({"shows_ended_for": 60})
    uid = alice.ask().json()["id"]
    release(alice, uid)
    clock.move(59)

    (shown,) = alice.page()["data"]
    assert (shown["id"], shown["status"], alice.read(uid).status_code) == (uid, "active", 422)
    clock.move(1)
    assert alice.uids() == []


def test_a_release_may_take_effect_late(alice, sandbox, clock):
    uid = alice.ask().json()["id"]
    clock.move(20)
    sandbox.set_faults({"release_takes": 15})

    assert release(alice, uid).json()["released"] is True
    clock.move(14)
    assert alice.uids() == [uid]
    clock.move(1)
    (ended,) = alice.page(HISTORY)["data"]
    # What appeared while it went on is there.
    assert (ended["id"], len(ended["workspace"]["files"]["data"])) == (uid, 3)


def test_a_release_does_not_prolong_a_life(alice, sandbox, clock):
    uid = alice.ask().json()["id"]
    clock.move(999)
    sandbox.set_faults({"release_takes": 15})
    release(alice, uid)
    clock.move(1)

    assert alice.uids(HISTORY) == [uid]


def test_what_a_failure_made_may_lag_by_script(alice, sandbox, clock):
    sandbox.script({"status": 500, "made": True, "listed_after": 90, "read_after": 30})
    assert alice.ask().status_code == 500
    (made,) = sandbox.record()["workstations"]
    clock.move(30)

    assert (alice.uids(), alice.read(made["uid"]).ok) == ([], True)
    clock.move(60)
    assert alice.uids() == [made["uid"]]


# --- What is left out ---


def test_lists_may_be_empty_though_workstations_run(alice, sandbox):
    uid = alice.ask().json()["id"]
    sandbox.set_faults({"lists_empty": True})

    assert alice.page() == {"object": "list", "data": [], "next_cursor": None, "previous_cursor": None}
    assert alice.read(uid).ok


def test_lists_may_leave_out_some_that_are_named(alice, sandbox):
    first, second, third = [alice.ask().json()["id"] for _ in range(3)]
    release(alice, first)
    sandbox.set_faults({"omit": [first, second]})

    assert (alice.uids(), alice.uids(HISTORY)) == ([third], [])
    assert alice.uids(limit=1) == [third]


def test_lists_may_leave_out_a_share_of_each_page_by_chance(alice, sandbox):
    uids = [alice.ask().json()["id"] for _ in range(100)]
    sandbox.set_faults({"omit_share": 0.3, "seed": 7})

    first, second = alice.page(limit=50), alice.uids(limit=100)

    assert 20 <= len(first["data"]) < 50
    assert 50 <= len(second) < 100
    assert set(second) < set(uids)
    assert len(alice.uids(cursor=first["next_cursor"], limit=100)) > 20


@pytest.mark.parametrize("where", ["posts", "reads", "lists"])
def test_answers_may_come_without_a_workspace(alice, sandbox, where):
    sandbox.set_faults({f"{where}_without_workspace": 1})
    made = alice.ask().json()
    answers = {"posts": made, "reads": alice.read(made["id"]).json(), "lists": alice.page()["data"][0]}

    assert [place for place, answer in answers.items() if "workspace" not in answer] == [where]


def test_a_workspace_may_be_left_out_now_and_then(alice, sandbox):
    for _ in range(100):
        alice.ask()
    sandbox.set_faults({"lists_without_workspace": 0.2})

    assert 60 <= sum("workspace" in entry for entry in alice.page(limit=100)["data"]) < 100


# --- What is too much ---


def test_twenty_workstations_with_many_files_exceed_a_mebibyte(alice, sandbox):
    sandbox.set_faults({"more_files": 60, "name_length": 800})
    for _ in range(20):
        alice.ask()

    answer = alice.call("GET", "/workstations")

    assert MIB < len(answer.content) < 2 * MIB
    names = [file["name"] for file in answer.json()["data"][0]["workspace"]["files"]["data"]]
    assert (len(names), {len(name) for name in names}) == (60, {800})


def test_a_single_workstation_may_exceed_sixteen_mebibytes(alice, sandbox):
    sandbox.set_faults({"more_files": 17, "name_length": MIB - 100_000})
    uid = alice.ask().json()["id"]

    assert len(alice.read(uid).content) > 15 * MIB


def test_a_file_of_many_can_be_fetched(alice, sandbox):
    sandbox.set_faults({"more_files": 2})
    (file, _) = alice.ask().json()["workspace"]["files"]["data"]

    answer = requests.get(file["url"], timeout=30)
    assert (answer.status_code, len(answer.content)) == (200, file["size"])


@pytest.mark.parametrize("pages_shift", [False, True])
def test_a_list_may_never_end_and_each_cursor_is_a_new_one(alice, sandbox, pages_shift):
    uids = [alice.ask().json()["id"] for _ in range(3)][::-1]
    sandbox.set_faults({"endless": True, "pages_shift": pages_shift})
    seen, cursors = [], []
    params: dict[str, str] = {}
    for _ in range(7):
        page = alice.page(limit=2, **params)
        seen.append([entry["id"] for entry in page["data"]])
        cursors.append(page["next_cursor"])
        params = {"cursor": page["next_cursor"]}

    assert seen == [uids[:2], uids[2:]] * 3 + [uids[:2]]
    assert len(set(cursors)) == 7


def test_an_empty_list_may_never_end_either(alice, sandbox):
    sandbox.set_faults({"endless": True})
    first = alice.page()
    second = alice.page(cursor=first["next_cursor"])

    assert first["data"] == second["data"] == []
    assert first["next_cursor"] != second["next_cursor"]


# --- Odd IDs ---


@pytest.mark.parametrize("uid", ["", "a\0b", "Ü/?#", "x" * 201])
def test_an_odd_id_by_script(alice, sandbox, uid):
    sandbox.script({"uid": uid})

    assert alice.ask().json()["id"] == uid
    assert alice.uids() == [uid]
    assert alice.read(uid).status_code == (200 if uid else 404)
    (post,) = sandbox.record()["posts"]
    assert post["made"] == uid


def test_odd_ids_of_which_each_is_a_new_one(alice, sandbox):
    sandbox.set_faults({"mix": [{"share": 1, "uid": "*\0*"}]})
    first, second = [alice.ask().json()["id"] for _ in range(2)]

    assert first != second
    assert len(first) == len(second) == 25
    assert first[12] == second[12] == "\0"


def test_an_answer_may_name_a_workstation_that_exists_already(alice, sandbox):
    other = alice.ask("max").json()["id"]
    sandbox.script({"uid": other})

    answer = alice.ask("python").json()

    assert (answer["id"], answer["type"]) == (other, "python")
    assert len(alice.uids()) == 2
    first, second = sandbox.record()["posts"]
    assert first["made"] == other != second["made"]
    assert alice.read(other).json()["type"] == "max"


def test_an_id_may_be_given_once_more_after_its_workstation_has_ended(alice, sandbox, clock):
    former = alice.ask("max").json()["id"]
    sandbox.set_faults({"reuse": [former]})
    other = alice.ask("max").json()["id"]
    release(alice, former)
    clock.move(1)

    assert alice.ask("python").json()["id"] == former != other
    assert (alice.read(former).json()["type"], set(alice.uids())) == ("python", {former, other})
    assert [entry["type"] for entry in alice.page(HISTORY)["data"] if entry["id"] == former] == ["max"]
    assert alice.ask().json()["id"] not in (former, other)
    release(alice, other)
    record = sandbox.record()
    first, second, third, _ = record["posts"]
    assert (first["made"].partition("~")[0], second["made"], third["made"]) == (former, other, former)
    assert [one["uid"] for one in record["workstations"] if one["released"]] == [first["made"], other]


# --- The clock, keys, and what a script does to releases and lists ---


def test_other_keys_may_be_accepted_for_a_while(alice, sandbox):
    other = {"headers": {"Authorization": "Bearer old"}}
    sandbox.set_faults({"more_keys": ["old"]})
    accepted = [alice.call("GET", "/workstations", **how).status_code for how in ({}, other)]
    sandbox.set_faults({})

    assert (accepted, alice.call("GET", "/workstations", **other).status_code) == ([200, 200], 401)


def test_the_date_header_follows_the_providers_clock(alice, sandbox, clock):
    def tell() -> float:
        return parsedate_to_datetime(alice.call("GET", "/workstations").headers["Date"]).timestamp()

    assert tell() == clock.now
    sandbox.set_faults({"clock_off": -600})
    assert tell() == clock.now - 600


@pytest.mark.parametrize("answer", [{"status": 422}, {"status": 200, "body": {"type": "python", "released": False}}])
def test_a_release_may_be_refused_though_the_workstation_lives(alice, sandbox, answer):
    uid = alice.ask().json()["id"]
    sandbox.script({"on": "DELETE", **answer})

    assert release(alice, uid).status_code == answer["status"]
    assert alice.uids() == [uid]


def test_a_list_may_not_be_found_once(alice, sandbox):
    sandbox.script({"on": "GET /workstations/history", "status": 404})

    assert [alice.call("GET", HISTORY).status_code for _ in range(2)] == [404, 200]


def test_the_log_stream_may_be_for_no_page_from_elsewhere(alice, sandbox):
    sandbox.set_faults({"no_cors": True})
    with requests.get(alice.open(alice.make(), "log/stream"), stream=True, timeout=30) as stream:
        assert stream.status_code == 200
        assert "Access-Control-Allow-Origin" not in stream.headers


def test_a_walk_by_place_keeps_its_bounds_and_refuses_a_wrong_limit(alice, sandbox, clock):
    sandbox.set_faults({"pages_shift": True})
    uids: list[str] = []
    for _ in range(5):
        uids.insert(0, alice.make())
        clock.move(1)
    started = {entry["id"]: entry["startedAt"] for entry in alice.page()["data"]}
    first = alice.page(limit=2, before=started[uids[0]])

    assert [entry["id"] for entry in first["data"]] == uids[1:3]
    assert alice.uids(cursor=first["next_cursor"]) == uids[3:]
    assert alice.call("GET", "/workstations", params={"limit": 0}).status_code == 400
    assert alice.call("GET", "/workstations", params={"cursor": "x"}).status_code == 400


# --- Wishes ---


@pytest.mark.parametrize(
    "wish",
    [
        *({key: -0.1} for key in ("reads_after", "history_shows_after", "shows_ended_for", "release_takes")),
        *({key: 1.1} for key in ("omit_share", "lists_without_workspace", "strangers")),
        {"posts_without_workspace": True},
        {"more_files": 0.5},
        {"name_length": -1},
        {"omit": "abc"},
        {"omit": [5]},
        {"reuse": "abc"},
        {"more_keys": [5]},
        {"lists_empty": 1},
        {"endless": "yes"},
    ],
)
def test_a_habit_that_makes_no_sense_is_refused(alice, wish):
    answer = alice.control("POST", "faults", json=wish)

    assert answer.status_code == 400
    assert next(iter(wish)) in answer.json()["message"]
