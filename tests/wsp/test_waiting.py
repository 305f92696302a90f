"""A request until it is settled, and a release until it is confirmed."""

import signal

import pytest

from tests.worker.running import await_that
from tests.wsp.running import PATIENCE, start
from tests.wsp.serving import BROKEN, Answer, refuse
from wsp import client

R_7 = {"X_Portal_Request": "R-7", "X_Portal_Page": "/requests/7/"}
WAITING = refuse(503, "Service Unavailable - R-7 still waits for its turn.", Retry_After="0", **R_7)
UNKNOWN = refuse(504, "Gateway Timeout - it is not known yet what became of R-7.", Retry_After="0", **R_7)
MADE = Answer(200, {"id": "Il4lMTpQUC3L", "type": "python"}, {name.replace("_", "-"): R_7[name] for name in R_7})


@pytest.mark.parametrize("before", [WAITING, UNKNOWN])
def test_the_same_is_sent_again_until_it_is_settled(run, portal_of, before):
    portal = portal_of(before, before, MADE)
    ended = run("request", "python", "--for", "2h", "--wait")

    assert (ended.code, ended.out) == (0, "Il4lMTpQUC3L\n")
    assert ended.err.splitlines()[0] == f"R-7 {portal.url}/requests/7/"
    assert ended.err.count("R-7") == 1
    assert len(portal.asked) == 3
    assert {asked.headers["Idempotency-Key"] for asked in portal.asked} == {portal.asked[0].headers["Idempotency-Key"]}
    assert [asked.body for asked in portal.asked] == [{"type": "python", "lifetime": "2h"}] * 3


def test_without_wait_the_key_leads_back_to_the_request(run, portal_of):
    portal = portal_of(WAITING, MADE)
    ended = run("request", "python", "--for", "2h")
    key = portal.asked[0].headers["Idempotency-Key"]

    assert (ended.code, ended.out, len(portal.asked)) == (4, "", 1)
    command = f"wsp request python --for 2h --key {key} --wait"
    assert ended.err.splitlines()[0].endswith(f"To wait on for it: {command}")
    assert run(*command.split()[1:]).out == "Il4lMTpQUC3L\n"
    assert portal.asked[1].headers["Idempotency-Key"] == key
    assert portal.asked[1].body == portal.asked[0].body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refuse(503, "Service Unavailable - R-7 was cancelled, and nothing was made for it.", **R_7), 1),
        (refuse(504, "Gateway Timeout - R-7 has failed: No response from AgentStation.", **R_7), 4),
        (refuse(500, "Internal Server Error - please retry your request.", **R_7), 1),
        (refuse(402, "Payment Required - you have run out of trial credits.", **R_7), 1),
        (refuse(422, "Unprocessable Entity - this key came with another body."), 1),
        (refuse(429, "Too Many Requests - you have 3 of at most 3.", Retry_After="60"), 1),
        (refuse(401, "Unauthorized - missing or invalid API key."), 3),
    ],
)
def test_what_is_settled_is_not_sent_again(run, portal_of, answer, code):
    portal = portal_of(answer)
    ended = run("request", "python", "--wait")
    assert ended.code == code
    assert answer.document["message"] in ended.err
    assert len(portal.asked) == 1


@pytest.mark.parametrize("between", [BROKEN, Answer(502, text="<html>"), Answer(504, text="", headers={})])
def test_a_proxy_without_a_portal_behind_it_is_waited_for(run, portal_of, between, monkeypatch):
    monkeypatch.setattr(client, "AGAIN_AFTER", 0)
    portal = portal_of(between, MADE)
    assert run("request", "python", "--wait").out == "Il4lMTpQUC3L\n"
    assert len({asked.headers["Idempotency-Key"] for asked in portal.asked}) == 1
    assert len(portal.asked) == 2


def test_what_was_sent_once_is_never_said_to_be_unsent(run, portal_of):
    portal_of(BROKEN)
    assert run("request", "python").code == 4


def test_who_stops_waiting_is_told_how_to_wait_on(portal_of, signed_in):
    portal = portal_of(WAITING, WAITING._replace(headers=dict(WAITING.headers) | {"Retry-After": "60"}))
    process = start("request", "python", "--wait", environment=signed_in)
    await_that(lambda: len(portal.asked) == 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.splitlines()[0][:4]) == (4, "R-7 ")
    assert "The request stays in the portal. To wait on for it: wsp request python --key " in err


GONE = refuse(422, "Unprocessable Entity - cannot find requested asset associated with your API key.")


def test_a_release_is_sent_again_until_it_is_confirmed(run, portal_of, monkeypatch):
    monkeypatch.setattr(client, "AGAIN_AFTER", 0)
    portal = portal_of(refuse(503, "Service Unavailable - not confirmed yet.", Retry_After="5"), GONE)
    assert run("release", "Il4lMTpQUC3L") == (0, "Released Il4lMTpQUC3L.\n", "")
    assert [asked.path for asked in portal.asked] == ["/v1/workstations/Il4lMTpQUC3L/release"] * 2


def test_a_release_that_was_perhaps_never_seen_is_not_said_to_be_done(run, portal_of, monkeypatch):
    monkeypatch.setattr(client, "AGAIN_AFTER", 0)
    portal_of(Answer(502, text="<html>"), GONE)
    assert run("release", "Il4lMTpQUC3L").code == 1


def test_a_release_that_is_not_confirmed_in_time_is_not_known(run, portal_of):
    portal_of(refuse(503, "Service Unavailable - the workstation is being released.", Retry_After="5"))
    ended = run("release", "Il4lMTpQUC3L", "--timeout", "0")
    assert ended.code == 4
    assert ended.err.endswith("Try again in 5 s.\n")
