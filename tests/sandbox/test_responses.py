"""Each reserved name, as a client on a socket meets it."""

import http.client
import json

import pytest

from portal.sandbox import names, responses
from tests.sandbox.caller import list_threads

REFUSED = {f"fail-{status}": status for status in (400, 401, 402, 418, 422, 429, 500, 503)}
REFUSED |= {"fail-429-retry-3": 429, "fail-500-made": 500}
MADE = {"fail-500-made", "hang-made", "reset-made", "slow-5", "unknown-status", "new-fields"}
MADE |= {"no-workspace", "late-list-30", "late-read-30"}


def check_what_was_made(alice, workspace):
    """One workstation in the workspace of exactly this UID, if the name makes any."""
    made = [entry["workspace"]["id"] for entry in alice.page()["data"]]
    assert made == ([workspace] if workspace in MADE else [])


def test_every_name_is_reserved_described_and_played():
    assert len({name.uid for name in names.RESERVED}) == len(names.RESERVED) == 23
    for name in names.RESERVED:
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


def test_a_hang_ends_when_the_client_leaves_whatever_it_still_sends(sandbox, post_raw, caplog):
    connection = post_raw("hang")
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


@pytest.mark.parametrize(("name", "shown", "readable"), [("late-list-30", False, True), ("late-read-30", True, False)])
def test_one_workstation_may_lag_by_its_name(alice, clock, name, shown, readable):
    other = alice.ask().json()["id"]
    uid = alice.ask(workspace=name).json()["id"]
    clock.move(29)

    assert (uid in alice.uids(), alice.read(uid).ok) == (shown, readable)
    assert alice.read(other).ok
    clock.move(1)
    assert (uid in alice.uids(), alice.read(uid).ok) == (True, True)
