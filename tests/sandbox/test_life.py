"""What time does to a workstation: files and logs appear, and it completes."""

import uuid

import pytest
import requests

from portal.sandbox import items, server
from tests.sandbox.caller import Caller


def count_items(alice, uid):
    workspace = alice.call("GET", f"/workstations/{uid}").json()["workspace"]
    return len(workspace["files"]["data"]), len(workspace["logs"]["data"])


def test_files_and_logs_appear_one_after_the_other(alice, clock):
    uid = alice.ask().json()["id"]
    counts = []
    for _ in range(7):
        counts.append(count_items(alice, uid))
        clock.move(10)

    assert counts == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (5, 4)]


@pytest.mark.parametrize("type", items.TYPES)
def test_every_file_and_log_can_be_fetched_without_a_key(alice, clock, sandbox, type):
    uid = alice.ask(type).json()["id"]
    clock.move(50)
    workspace = alice.call("GET", f"/workstations/{uid}").json()["workspace"]

    for file in workspace["files"]["data"]:
        answer = requests.get(file["url"], timeout=30)
        assert file["url"] == f"{sandbox.url}/files/{uuid.UUID(file['id'])}"
        assert len(answer.content) == file["size"] > 0
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{file["name"]}"'
    for log in workspace["logs"]["data"]:
        assert requests.get(log["url"], timeout=30).headers["Content-Disposition"].endswith(f'{log["type"]}.log"')


def test_it_completes_after_its_lifetime_and_leaves_what_had_appeared(alice, clock):
    uid, released, at_once = (alice.ask().json()["id"] for _ in range(3))
    alice.release(at_once)
    clock.move(20)
    alice.release(released)
    clock.move(979.9)
    assert alice.uids() == [uid]
    clock.move(0.2)
    assert alice.uids() == []
    history = {ended["id"]: ended for ended in alice.page("/workstations/history")["data"]}
    files = [len(history[one]["workspace"]["files"]["data"]) for one in (uid, released, at_once)]
    assert (history[uid]["status"], files) == ("completed", [5, 2, 0])
    assert alice.call("DELETE", f"/workstations/{uid}/release").status_code == 422


def test_nothing_ends_before_the_longest_end_that_the_form_offers(clock):
    with server.Sandbox(clock=clock) as sandbox, Caller(sandbox.base_url) as alice:
        made = alice.ask().json()
        clock.move(7 * 86_400 - 1)
        assert alice.uids() == [made["id"]]
