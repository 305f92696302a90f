"""The commands against the sandbox, by real HTTP."""

import json

import pytest

from tests.wsp.running import Window
from tests.wsp.serving import Answer, refuse


def test_types_are_listed(run, signed_in):
    lines = [line.split("\t") for line in run("types").out.splitlines()]
    assert [line[0] for line in lines][:2] == ["default", "max"]
    assert all(len(line) == 3 for line in lines)
    assert json.loads(run("types", "--json").out)[0]["id"] == "default"


def test_a_script_takes_the_id_from_standard_output(run, signed_in, provider):
    ended = run("request", "python", "--for", "2h", "--wait")
    uid = ended.out.strip()
    assert ended == (0, f"{uid}\n", f"It runs. To work in it: wsp terminal {uid}\n")
    assert provider.uids() == [uid]
    assert provider.read(uid).json()["type"] == "python"


def test_workstations_are_listed_and_released(run, signed_in, provider):
    uids = [provider.make() for _ in range(3)]
    assert [line.split("\t")[:3] for line in run("list").out.splitlines()] == [
        [uid, "max", "active"] for uid in reversed(uids)
    ]
    assert [one["id"] for one in json.loads(run("list", "--limit", "2", "--json").out)] == uids[:0:-1]

    assert run("release", uids[0]) == (0, f"Released {uids[0]}.\n", "")
    assert json.loads(run("release", uids[1], "--json").out) == {"type": "max", "released": True}
    assert provider.uids() == uids[2:]
    assert sorted(line.split("\t")[0] for line in run("list", "--history").out.splitlines()) == sorted(uids[:2])


def test_a_long_list_is_read_page_by_page(run, signed_in, provider):
    for _ in range(103):
        provider.make()
    assert len(run("list", "--limit", "102").out.splitlines()) == 102
    assert len(run("list", "--limit", "1000").out.splitlines()) == 103


def test_nothing_is_a_list_too(run, signed_in):
    assert run("list") == (0, "", "No workstations.\n")
    assert json.loads(run("list", "--json").out) == []


def test_addresses_for_programs_are_printed(run, signed_in, provider):
    uid = provider.make("chromium")
    assert run("open", uid, "--for", "vncwss").out.startswith("ws://")
    assert ":" in run("open", uid, "--for", "vnc").out
    assert "/v1/cdp/" in json.loads(run("open", uid, "--for", "cdp", "--json").out)["url"]


def test_the_desktop_s_page_is_opened_where_there_is_a_workstation(run, signed_in, provider, sandbox):
    uid = provider.make("chromium")
    assert run("open", uid).out == f"{sandbox.url}/workstations/{uid}/desktop/\n"
    assert run("open", "made-up").code == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("release", "made-up"), 1, "Check the ID"),
        (("request", "python", "--workspace", "fail-402"), 1, "Ask the owner of the team's AgentStation account"),
        (("request", "no-such-type"), 1, "type must be one of default, max,"),
        (("open", "x/../../y", "--for", "vnc"), 1, "Check the ID"),
        (("release", ".."), 2, "Name a workstation by its ID."),
        (("extend", "x", "2h"), 1, "Not Found"),
        (("terminal", "x"), 2, "This needs a terminal"),
        (("request", "python", "--timeout", "soon"), 2, "It must be like 90s, 10m or 2h."),
        (("request",), 2, "Missing argument"),
        (("fly",), 2, "No such command"),
        (("--version",), 0, ""),
        (("mcp", "--http", "8003"), 2, "--http must be like 127.0.0.1:8003."),
    ],
)
def test_scripts_are_told_by_the_exit_code(run, signed_in, words, code, said):
    ended = run(*words)
    assert (ended.code, said in ended.err) == (code, True), ended


def test_a_portal_that_is_not_there_cannot_be_reached(run, signed_in, sandbox):
    sandbox.stop()
    ended = run("list")
    assert ended.code == 5
    assert ended.err.startswith(f"wsp: {sandbox.url} cannot be reached: ")
    assert run("request", "python", "--wait").code == 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(("list",), 5, "not as a portal does"), (("extend", "x", "2h"), 4, "it is not known whether it was done.")],
)
def test_a_gateway_s_page_is_no_answer_of_the_portal_s(run, portal_of, words, code, said):
    portal_of(Answer(502, text="<html>Bad gateway</html>"))
    ended = run(*words)
    assert (ended.code, said in ended.err) == (code, True)


def test_a_workstation_can_live_longer(run, portal_of):
    portal = portal_of(Answer(document={"ends_at": "2026-12-02T10:00:00Z"}))
    assert run("extend", "Il4lMTpQUC3L", "2h") == (0, "2026-12-02T10:00:00Z\n", "")
    assert json.loads(run("extend", "Il4lMTpQUC3L", "2h", "--json").out) == {"ends_at": "2026-12-02T10:00:00Z"}
    asked = portal.asked[0]
    assert (asked.method, asked.path, asked.body) == ("POST", "/api/workstations/Il4lMTpQUC3L/end", {"lifetime": "2h"})
    assert asked.headers["Authorization"] == "Bearer sandbox"


def test_the_team_s_key_is_not_the_person_s_token(run, portal_of):
    page = {"X_Portal_Request": "R-7", "X_Portal_Page": "/requests/7/"}
    portal = portal_of(refuse(401, "Unauthorized - missing or invalid API key.", **page))
    ended = run("request", "python")
    assert ended.code == 1
    assert "The team's API key has to be replaced" in ended.err
    assert f"R-7: {portal.url}/requests/7/" in ended.err


def test_what_others_wrote_does_not_steer_the_terminal(run, portal_of):
    portal_of(Answer(document={"data": [{"id": "a\x1b]0;x\x07", "type": "[bold]b", "status": None}]}))
    assert run("list").out == "a\ufffd]0;x\ufffd\t[bold]b\t\t\t\n"


def test_a_person_sees_a_table(signed_in, provider):
    uid = provider.make()
    with Window("list", environment=signed_in) as window:
        shown = window.await_text(uid)
        assert window.wait() == 0
    assert "ID" in shown
    assert "WORKSPACE" in shown
