"""The terminal and the log of a workstation, from a terminal."""

import json

import pytest

from tests.wsp.running import PATIENCE, Window, start
from tests.wsp.serving import Answer, Told
from wsp import client, signin


@pytest.fixture
def uid(provider) -> str:
    return provider.make("python")


@pytest.fixture
def window(signed_in, uid):
    with Window("terminal", uid, environment=signed_in) as window:
        # The prompt after the shell was told the size of the window.
        window.await_text(f"agent@{uid}:~$ ", times=2)
        yield window


def test_a_shell_takes_what_is_typed_and_shows_what_comes(window, uid):
    assert f"Connecting to {uid}. Ctrl-] leaves." in window.shown
    window.type("whoami\r")
    window.await_text("\r\nagent\r\n")
    window.type("echo é✓\r")
    window.await_text("\r\né✓\r\n")
    window.type("junk\x03")
    window.await_text(f"^C\r\nagent@{uid}:~$ ")
    assert window.process.poll() is None, "control keys are the workstation's"


def test_the_shell_is_told_how_large_the_window_is_and_a_line_that_is_begun_is_not_disturbed(window, uid):
    assert " stty cols 100 rows 30\r\n" in window.shown
    window.type("echo half")
    window.await_text("echo half")
    window.resize(120, 40)
    window.type("d")
    window.await_text("echo halfd")
    window.type("one\r")
    window.await_text("\r\nhalfdone\r\n")
    window.await_text(" stty cols 120 rows 40\r\n")
    assert "half stty" not in window.shown


@pytest.mark.parametrize(("keys", "words"), [("\x1d", "Left."), ("exit\r", "logout")], ids=["ctrl-]", "exit"])
def test_who_leaves_finds_the_terminal_as_it_was(window, provider, uid, keys, words):
    assert window.read_modes() != window.before
    window.type(keys)
    window.await_text(words)
    assert window.wait() == 0
    assert window.read_modes() == window.before
    assert provider.uids() == [uid]


def test_an_address_that_leads_nowhere_is_not_shown(signed_in, portal_of):
    secret = "cxBMzXSFUSXf"
    portal = portal_of(Answer(document={"url": f"ws://127.0.0.1:1/v1/pty/{secret}"}))
    with Window("terminal", "x", environment=signed_in) as window:
        window.await_text("The workstation's terminal cannot be reached.")
        assert window.wait() == 5
    assert secret not in window.shown
    assert portal.asked[0].path == "/v1/workstations/x/sandbox/pty"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_is_followed_until_the_workstation_ends(signed_in, provider, uid, form):
    options = ["--json"] if form == "json" else []
    process = start("logs", uid, "-f", *options, environment=signed_in)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(3)]
    provider.release(uid)
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    if form == "json":
        assert [json.loads(line)["type"] for line in lines] == ["boot", "system", "session"]
    else:
        assert f" info boot Entry 1 of python {uid}: all is well with its boot. id=" in lines[0]


def test_a_log_s_host_gets_no_token_and_what_it_says_is_shown_as_it_comes(run, portal_of):
    events = 'data: {"level": "info", "text": "a\\u001b[2J", "n": [1]}\n\ndata: no JSON\n\n: a comment\n\n'
    stream = Answer(text=events, headers={"Content-Type": "text/event-stream"})
    with Told(stream) as other:
        portal_of(Answer(document={"url": f"{other.url}/v1/log/sse/secret"}))
        ended = run("logs", "x", "-f")
    assert ended == (0, "info text=a\ufffd[2J n=[1]\nno JSON\n", "")
    assert "Authorization" not in other.asked[0].headers


def test_addresses_are_in_no_log(run, signed_in, caplog):
    events = Answer(text="data: 1\n\n", headers={"Content-Type": "text/event-stream"})
    secret = "cxBMzXSFUSXf"
    with Told(events) as other, Told(Answer(document={"url": f"{other.url}/v1/log/sse/{secret}"})) as portal:
        caplog.set_level("DEBUG")
        with client.Portal(signin.SignIn(portal.url, "wsp_token")) as opened:
            assert list(opened.follow_log("x")) == ["1"]
    assert secret not in caplog.text
    assert "wsp_token" not in caplog.text + repr(vars(opened))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "nonsense://secret", "", "http://[secret"])
def test_a_stream_that_leads_nowhere_is_said_without_its_address(run, portal_of, url):
    portal_of(Answer(document={"url": url}))
    ended = run("logs", "x", "-f")
    assert (ended.code, "secret" in ended.err) == (5, False)
