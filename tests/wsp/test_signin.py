"""Signing in: what is kept, where, and to whom it is sent."""

import io
import json
import os
import stat
import sys
from collections.abc import Iterator

import pytest

from tests.wsp.running import Window, make_environment
from tests.wsp.serving import Answer, Told, refuse
from wsp import signin
from wsp.failures import WrongUse

EMPTY = Answer(document={"data": []})


@pytest.fixture
def login(run, monkeypatch, sandbox):
    def login(token: str = "sandbox", url: str = ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))
        return run("login", url or sandbox.url, "--with-token")

    return login


@pytest.fixture
def open_umask() -> Iterator[None]:
    """As if what people write were for everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_token_is_kept_for_its_owner_alone(open_umask, login, run, folder, sandbox):
    assert login().code == 0
    place = folder / "wsp" / "sign-in.json"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert json.loads(place.read_text()) == {"url": sandbox.url, "token": "sandbox"}
    assert run("list").code == 0


def test_a_token_that_is_refused_is_not_kept(login, run, folder):
    ended = login("wsp_wrong")
    assert ended.code == 3
    assert "Unauthorized" in ended.err
    assert "wsp_wrong" not in ended.err
    assert not list(folder.rglob("*.json"))
    assert run("list").code == 3


def test_who_signs_out_is_not_signed_in(login, run):
    login()
    assert run("logout").err == "Signed out.\n"
    assert run("logout").err == "You were not signed in.\n"
    ended = run("list")
    assert (ended.code, ended.err) == (
        3,
        "wsp: You are not signed in.\nRun `wsp login`, or set WSP_URL and WSP_TOKEN.\n",
    )


def test_the_kept_token_goes_to_no_other_portal(login, run, monkeypatch):
    login()
    with Told(EMPTY) as other:
        monkeypatch.setenv("WSP_URL", other.url)
        assert run("list").code == 3
    assert not other.asked


def test_a_redirect_is_not_followed(run, portal_of):
    with Told(EMPTY) as other:
        portal_of(Answer(302, text="", headers={"Location": other.url}))
        ended = run("list")
    assert ended.code == 5
    assert "responded 302, and not as a portal does" in ended.err
    assert "with a token for `make run` it is http://127.0.0.1:8002" in ended.err
    assert not other.asked


def test_a_scope_that_is_missing_is_named(run, portal_of):
    words = "Forbidden - the token needs the scope read, and its person the right to it."
    portal_of(refuse(403, words, WWW_Authenticate='Bearer error="insufficient_scope", scope="read"'))
    ended = run("list")
    step = 'Make a new token in the portal ("Settings", "Make a token") with the scope read, and sign in with it.'
    assert (ended.code, ended.err) == (3, f"wsp: {words}\n{step}\n")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("portal.example", "https://portal.example"),
        (" https://portal.example/ ", "https://portal.example"),
        ("https://portal.example/v1", "https://portal.example"),
        ("https://portal.example:8443/v1/", "https://portal.example:8443"),
        ("http://127.0.0.1:8002/v1", "http://127.0.0.1:8002"),
        ("http://[::1]:8002", "http://[::1]:8002"),
        ("http://ws-1.localhost:8002", "http://ws-1.localhost:8002"),
        ("http://ws-k3v9q2ab.localhost:8000/", "http://127.0.0.1:8000"),
    ],
)
def test_an_address_may_be_written_in_several_ways(given, url):
    assert signin.clean_url(given) == url


@pytest.mark.parametrize("given", ["http://portal.example", "http://10.0.0.3", "ftp://x", "https://a:b@x"])
def test_an_address_that_gives_the_token_away_is_refused(given):
    with pytest.raises(WrongUse):
        signin.clean_url(given)


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}'])
def test_a_file_that_is_not_ours_is_said_to_be(run, folder, text):
    (folder / "wsp").mkdir()
    (folder / "wsp" / "sign-in.json").write_text(text)
    ended = run("list")
    assert ended.code == 3
    assert "sign-in.json cannot be read." in ended.err


def test_what_is_typed_as_a_token_is_not_shown(sandbox, folder):
    with Window("login", environment=make_environment(folder)) as window:
        window.await_text("Portal (https://portal.example)")
        window.type(f"{sandbox.url}\n")
        window.await_text("This portal lets nobody sign in here by the browser: it takes a token.")
        window.await_text("Token: ")
        window.type("sandbox\n")
        window.await_text("Signed in to")
        assert window.wait() == 0
        assert window.shown.count("sandbox") == 0


CODE = {"device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": "https://portal.example/x", "interval": 0.01}


@pytest.mark.parametrize(
    ("error", "words"),
    [("access_denied", "It was denied."), ("invalid_grant", "The code has ended."), ("x", "The code has ended.")],
)
def test_what_is_not_approved_signs_nobody_in(run, folder, error, words):
    waiting = [refuse(400, each) for each in ("authorization_pending", "slow_down")]
    with Told(Answer(document=CODE), *waiting, refuse(400, error)) as portal:
        ended = run("login", portal.url)
    assert (ended.code, ended.err.splitlines()[-1]) == (3, f"wsp: {words}")
    assert "Open https://portal.example/x and type the code BCDF-GHJK" in ended.err
    assert len(portal.asked) == 4
    assert not list(folder.rglob("*.json"))
