"""Workstations that somebody else makes with the same key, and a history of many."""

from datetime import UTC, datetime

import pytest

HISTORY = "/workstations/history"


def started_at(workstation: dict) -> float:
    return datetime.fromisoformat(workstation["startedAt"]).astimezone(UTC).timestamp()


def test_strangers_run_beside_ours_and_belong_to_no_post(alice, sandbox, clock):
    ours = alice.ask("python").json()["id"]
    wish = {"count": 3, "types": ["python", "golang"]}
    strangers = alice.control("POST", "strangers", json=wish).json()["uids"]

    assert set(alice.uids()) == {ours, *strangers}
    made = {row["uid"]: row for row in sandbox.record()["workstations"]}
    assert [made[uid]["type"] for uid in strangers] == ["python", "golang", "python"]
    assert [made[uid]["post"] for uid in (ours, *strangers)] == [1, None, None, None]
    assert len({made[uid]["workspace"] for uid in strangers}) == 3
    clock.move(40)
    assert alice.call("GET", f"/workstations/{strangers[0]}").json()["workspace"]["files"]["data"]


def test_a_stranger_may_have_begun_earlier_in_a_workspace_of_ours(alice, sandbox, clock):
    ours = alice.ask().json()
    (stranger,) = sandbox.make_strangers(workspace=ours["workspace"]["id"], started_ago=300)

    newer, older = alice.page()["data"]
    assert (newer["id"], older["id"]) == (ours["id"], stranger)
    assert older["workspace"]["id"] == ours["workspace"]["id"]
    assert started_at(older) == clock.now - 300
    assert alice.uids(cursor=alice.page(limit=1)["next_cursor"]) == [stranger]


def test_a_stranger_may_have_ended(alice, sandbox):
    (stranger,) = sandbox.make_strangers(started_ago=1001)

    assert (alice.uids(), alice.uids(HISTORY)) == ([], [stranger])


def test_a_type_that_nobody_knows_may_be_a_strangers(alice, sandbox):
    sandbox.make_strangers(types=["quantum"])

    assert [workstation["type"] for workstation in alice.page()["data"]] == ["quantum"]


def test_strangers_come_now_and_then(alice, sandbox):
    sandbox.set_faults({"strangers": 0.2})
    for _ in range(100):
        alice.ask("python")

    strangers = [row for row in sandbox.record()["workstations"] if row["post"] is None]
    assert 5 <= len(strangers) <= 40
    assert len({row["type"] for row in strangers}) > 1


def test_a_long_history_is_there_at_once_and_can_be_walked(alice, clock):
    ours = alice.ask().json()["id"]
    alice.call("DELETE", f"/workstations/{ours}/release")
    wish = {"count": 24_000, "types": ["max"], "every": 2, "ended_ago": 100}

    assert alice.control("POST", "history", json=wish).status_code == 200

    first = alice.page(HISTORY, limit=100)
    assert first["data"][0]["id"] == ours
    second = alice.page(HISTORY, limit=100, cursor=first["next_cursor"])
    times = [started_at(workstation) for workstation in (*first["data"][1:], *second["data"])]
    assert times == [clock.now - 160 - 2 * number for number in range(199)]
    assert alice.uids() == []
    uids, cursor = len(first["data"]), first["next_cursor"]
    while cursor:
        page = alice.page(HISTORY, limit=100, cursor=cursor)
        uids, cursor = uids + len(page["data"]), page["next_cursor"]
    assert uids == 24_001


def test_a_history_in_process(alice, sandbox):
    sandbox.make_history(count=3)

    assert len(alice.uids(HISTORY)) == 3


SENSELESS = [5, {"colour": "grey"}, {"count": -1}, {"count": 10**9}, {"types": []}, {"types": "max"}, {"types": [5]}]


@pytest.mark.parametrize(
    ("path", "wish"),
    [
        *((path, wish) for path in ("strangers", "history") for wish in SENSELESS),
        *(("strangers", wish) for wish in ({"workspace": 5}, {"workspace": "\ud800"}, {"started_ago": -1})),
        *(("history", wish) for wish in ({"ended_ago": "1"}, {"every": -1}, {"workspace": "x"})),
    ],
)
def test_a_wish_for_strangers_that_makes_no_sense_is_refused(alice, path, wish):
    answer = alice.control("POST", path, json=wish)

    assert answer.status_code == 400
    assert (alice.uids(), alice.uids(HISTORY)) == ([], [])
