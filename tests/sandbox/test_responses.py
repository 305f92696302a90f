"""Each reserved name, as a client on a socket meets it."""

import http.client
import json

import pytest
import requests

from portal.sandbox import names, responses, server
from tests.sandbox.caller import list_threads

REFUSED = {f"fail-{status}": status for status in (400, 401, 402, 418, 422, 429, 500, 503)}
REFUSED |= {"fail-429-retry-3": 429, "fail-500-made": 500}
MADE = {"fail-500-made", "hang-made", "reset-made", "slow-5", "unknown-status", "new-fields"}
MADE |= {"no-workspace", "long-id", "late-list-30", "late-read-30"}


def check_what_was_made(alice, workspace):
    """One workstation in the workspace of exactly this UID, if the name makes any."""
    made = [entry["workspace"]["id"] for entry in alice.page()["data"]]
    assert made == ([workspace] if workspace in MADE else [])


def test_every_name_is_reserved_described_and_played():
    assert len({name.uid for name in names.RESERVED}) == len(names.RESERVED) == 26
    for name in names.RESERVED:
        assert names.is_reserved(name.uid)
        assert name.description.endswith(".")
        response = responses.find(name.uid)
        assert response is not None
        assert response.carried_out == (name.uid in MADE)
    assert set(responses.BY_NAME) == {name.uid for name in names.RESERVED} - {"slow-5", "late-list-30", "late-read-30"}


@pytest.mark.parametrize(("workspace", "status"), REFUSED.items())
def test_a_refusal_in_the_providers_words(alice, workspace, status):
    answer = alice.ask("python", workspace)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.json().keys() == {"error", "message"}
    assert answer.json()["message"] == responses.SENTENCES[status]
    assert answer.headers.get("Retry-After") == ("3" if workspace == "fail-429-retry-3" else None)
    check_what_was_made(alice, workspace)


@pytest.mark.parametrize(("workspace", "status"), [("fail-502", 502), ("fail-503-html", 503), ("garbage", 200)])
def test_a_page_instead_of_an_answer(alice, workspace, status):
    answer = alice.ask("python", workspace)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<html>")
    check_what_was_made(alice, workspace)


@pytest.mark.parametrize("workspace", ["hang", "hang-made"])
def test_a_hang_lasts_until_the_server_stops(alice, sandbox, post_raw, workspace):
    connection = post_raw(workspace)
    sandbox.wait()
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    check_what_was_made(alice, workspace)

    sandbox.stop()

    connection.settimeout(30)
    assert connection.recv(1) == b""


@pytest.mark.parametrize("name", ["hang", "drip"])
def test_it_ends_when_the_client_leaves_whatever_it_still_sends(sandbox, post_raw, monkeypatch, caplog, name):
    monkeypatch.setattr(server, "DRIP_EVERY", 0.001)
    connection = post_raw(name)
    sandbox.wait()
    connection.sendall(b"are you there?")
    (thread,) = list_threads()

    connection.close()

    thread.join(30)
    assert not thread.is_alive()
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


@pytest.mark.parametrize("workspace", ["reset", "reset-made"])
def test_a_reset(alice, post_raw, workspace):
    with pytest.raises(ConnectionResetError):
        post_raw(workspace).recv(1)
    check_what_was_made(alice, workspace)


def test_a_truncated_answer(alice, post_raw):
    answer = http.client.HTTPResponse(post_raw("truncate"))
    answer.begin()
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert responses.SAMPLE.startswith(broken.value.partial)
    check_what_was_made(alice, "truncate")


def test_a_dripping_answer_goes_on_until_the_server_stops(alice, sandbox, post_raw, monkeypatch):
    monkeypatch.setattr(server, "DRIP_EVERY", 0.001)
    answer = http.client.HTTPResponse(post_raw("drip"))
    answer.begin()

    # Further than the sample: then it drips spaces.
    assert answer.read(len(responses.SAMPLE) + 3) == responses.SAMPLE + b"   "
    check_what_was_made(alice, "drip")
    sandbox.stop()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_a_slow_answer_is_made_at_once_and_told_after_its_seconds(alice, sandbox, post_raw):
    connection = post_raw("slow-600")
    sandbox.wait()
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(30)
    (uid,) = alice.uids()

    sandbox.stop()

    answer = http.client.HTTPResponse(connection)
    answer.begin()
    made = json.loads(answer.read())
    assert (answer.status, made["id"], made["workspace"]["id"]) == (200, uid, "slow-600")


def test_any_number_of_seconds_up_to_600_may_be_asked_for():
    for uid, seconds in {"slow-5": 5, "slow-0": 0, "slow-600": 600, "slow-601": None, "slow": None}.items():
        assert names.read_timed(uid) == (None if seconds is None else ("slow", seconds))
        assert names.is_reserved(uid) == (seconds is not None)


def test_words_that_the_contract_does_not_know(alice, clock):
    made = alice.ask("python", "unknown-status").json()
    clock.move(10)
    shown = alice.page()["data"][0]

    assert (made["status"], made["type"]) == (shown["status"], shown["type"]) == ("hibernating", "quantum")
    assert [log["level"] for log in shown["workspace"]["logs"]["data"]] == ["trace"]
    alice.call("DELETE", f"/workstations/{made['id']}/release")
    assert alice.page("/workstations/history")["data"][0]["status"] == "completed"


def test_fields_that_the_contract_does_not_know(alice, clock):
    made = alice.ask("python", "new-fields").json()
    assert alice.ask("max", "new-fields").json()["workspace"]["id"] == made["workspace"]["id"] == "new-fields"
    clock.move(10)
    shown = alice.call("GET", f"/workstations/{made['id']}").json()

    workspace = shown["workspace"]
    files, logs = workspace["files"], workspace["logs"]
    for part in (made, shown, workspace, files, files["data"][0], logs["data"][0]):
        assert part["region"] == "eu-moon-1"
        assert part["labels"] == {"tier": 3, "tags": ["new", None]}


def test_the_key_is_checked_before_the_reserved_name(sandbox):
    wish = {"type": "python", "workspace_id": "hang"}
    assert requests.post(f"{sandbox.base_url}/workstations", json=wish, timeout=30).status_code == 401


@pytest.mark.parametrize(("name", "shown", "readable"), [("late-list-30", False, True), ("late-read-30", True, False)])
def test_one_workstation_may_lag_by_its_name(alice, clock, name, shown, readable):
    other = alice.ask().json()["id"]
    uid = alice.ask(workspace=name).json()["id"]
    clock.move(29)

    assert (uid in alice.uids(), alice.read(uid).ok) == (shown, readable)
    assert alice.read(other).ok
    clock.move(1)
    assert (uid in alice.uids(), alice.read(uid).ok) == (True, True)


def test_one_workstation_may_be_without_a_workspace_by_its_name(alice):
    made = alice.ask(workspace="no-workspace").json()

    for answer in (made, alice.read(made["id"]).json(), alice.page()["data"][0]):
        assert answer["id"] == made["id"]
        assert "workspace" not in answer


def test_an_id_of_300_characters_by_its_name(alice):
    first, second = [alice.ask(workspace="long-id").json()["id"] for _ in range(2)]

    assert len(first) == len(second) == 300
    assert alice.uids() == [second, first]
    assert alice.read(first).json()["id"] == first
    alice.release(first)
    assert alice.uids("/workstations/history") == [first]
