"""The pages that hold a connection into a workstation, and what they and scripts get."""

import re

import pytest

from portal import models
from portal.models.clock import Now
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "ws://127.0.0.1:9/v1/secret-token-of-this-test"
_HOSTS = [f"{way}://{host}:*" for host in ("127.0.0.1", "localhost") for way in ("ws", "http")]


@pytest.fixture
def uid(sandbox, alice) -> str:
    return factories.submit_and_settle(alice, type="max").workstation.uid


NO_END = {"words": "No end is set.", "has_end": False, "warning": 0}


def script(sandbox, path: str = "sandbox/pty", **answer: object) -> None:
    sandbox.script({"on": f"POST /workstations/{{id}}/{path}", **answer})


def open_one(browser, uid: str, **values: object):
    return browser.post(f"/workstations/{uid}/connections/", {"kind": "terminal", **values})


def read_policy(response) -> dict[str, list[str]]:
    parts = [part.split() for part in response.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("page", models.Connection.HELD)
def test_a_page_may_reach_workstations_and_no_other_page_may(sandbox, sign_in, alice, uid, page):
    browser = sign_in(alice)
    response = browser.get(f"/workstations/{uid}/{page}/")
    assert response.status_code == 200
    assert 'data-connection="connecting"' in response.text
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert f"clipboard-read={'()' if page == 'log' else '(self)'}" in response.headers["Permissions-Policy"]
    assert "camera=()" in response.headers["Permissions-Policy"]
    nonces = [source[7:-1] for source in read_policy(response).get("style-src", []) if source.startswith("'nonce-")]
    assert len(nonces) == (page == "terminal")
    assert all(f'content="{nonce}"' in response.text for nonce in nonces)
    policy, usual = read_policy(response), read_policy(browser.get(f"/workstations/{uid}/"))
    assert policy.pop("connect-src") == ["'self'", *_HOSTS]
    assert usual.pop("connect-src") == ["'self'"]
    changed = {name for name in policy if policy[name] != usual.get(name)}
    assert changed == {"desktop": {"img-src"}, "terminal": {"style-src", "style-src-attr"}, "log": set()}[page]
    assert "clipboard-read=()" in browser.get("/").headers["Permissions-Policy"]


def test_a_refusal_is_told_in_words(sandbox, sign_in, alice, uid):
    script(sandbox, status=422, body={"error": "No terminal", "message": "This type has no terminal."})
    browser = sign_in(alice)
    response = open_one(browser, uid)
    opened = response.json()
    assert response.status_code == 409
    assert (opened["state"], opened["said"]) == ("refused", "This type has no terminal.")
    assert "This type has no terminal." in browser.get(f"/workstations/{uid}/").text


def test_an_operator_says_why_and_the_owner_reads_it(sandbox, sign_in, alice, olga, uid):
    operator = sign_in(olga)
    assert 'data-waits="true"' in operator.get(f"/workstations/{uid}/terminal/").text
    assert "Say why" in open_one(operator, uid).json()["text"]
    script(sandbox, status=200, body={"url": SECRET})
    assert open_one(operator, uid, reason="She asked me to.").status_code == 200
    shown = sign_in(alice).get(f"/workstations/{uid}/").text
    assert "She asked me to." in shown
    assert "olga" in shown


def test_an_address_is_told_once_and_its_page_says_that_it_lives_and_that_it_ends(sandbox, sign_in, alice, uid):
    script(sandbox, status=200, body={"url": SECRET})
    browser = sign_in(alice)
    response = open_one(browser, uid)
    assert "no-store" in response.headers["Cache-Control"]
    number, opened = models.Connection.objects.get().pk, response.json()
    alive, end = f"/connections/{number}/alive/", f"/connections/{number}/end/"
    told = {"connection": number, "url": SECRET, "view_only": False, "alive_every": 20.0, "ends": NO_END}
    assert opened == told | {"alive": alive, "end": end}
    assert browser.post(alive).json() == {"ended": None, "ends": NO_END}
    assert browser.post(end).status_code == 204
    ended = browser.post(alive).json()["ended"]
    assert (ended["text"], ended["is_gone"]) == ("The portal heard nothing of this page for some time.", False)
    assert "less than 1 s" in browser.get(f"/workstations/{uid}/").text


def test_who_shares_lets_somebody_look_and_takes_it_back(sandbox, sign_in, alice, bob, uid):
    owner, guest = sign_in(alice), sign_in(bob)
    owner.post(f"/workstations/{uid}/shares/", {"person": "bob", "level": "look", "hours": "1"})
    home = guest.get("/?show=shared").text
    assert "shared by alice" in " ".join(home.split())
    assert f"/workstations/{uid}/desktop/" in home
    assert f"/workstations/{uid}/terminal/" not in home
    own_page = f'href="/workstations/{uid}/"'
    assert own_page not in guest.get(f"/workstations/{uid}/desktop/").text, "a guest is led home"
    assert own_page in owner.get(f"/workstations/{uid}/desktop/").text
    for page in ("terminal", "scripts"):
        assert guest.get(f"/workstations/{uid}/{page}/").status_code == 404
    assert guest.get(f"/workstations/{uid}/").status_code == 404, "files and logs are not shared"
    script(sandbox, "vncwss", status=200, body={"url": SECRET})
    opened = open_one(guest, uid, kind="desktop").json()
    assert opened["view_only"] is True
    assert "bob" in owner.get(f"/workstations/{uid}/").text

    owner.post(f"/shares/{models.Share.objects.get().pk}/end/")
    assert guest.post(opened["alive"]).json()["ended"]
    assert guest.get(f"/workstations/{uid}/desktop/").status_code == 404
    assert "shared by" not in guest.get("/?show=shared").text


def test_a_share_that_cannot_be_says_why(sign_in, alice, bob, uid):
    browser, good = sign_in(alice), {"person": "bob", "level": "look"}
    for wish, words in (
        ({"person": "nobody"}, "There is nobody called nobody"),
        ({"person": ""}, "Enter the username"),
        ({"level": ""}, "Choose what they may do"),
        ({"person": "bob\x00"}, "be stored. Type it again."),
    ):
        shown = browser.post(f"/workstations/{uid}/shares/", good | wish, follow=True).text
        assert words in shown
        assert 'id="share" open' in shown
        assert ('value="nobody"' in shown) is (wish == {"person": "nobody"}), "what was typed is kept"
    browser.post(f"/workstations/{uid}/release/")
    late = browser.post(f"/workstations/{uid}/shares/", good, follow=True).text
    assert "has ended, or is being released" in late
    assert not models.Share.objects.exists()


# --- Who worked in it is told why it is gone ---


@pytest.fixture
def guest(sandbox, sign_in, alice, bob, uid):
    """bob, who works in alice's workstation; and where his page says that it is open."""
    sign_in(alice).post(f"/workstations/{uid}/shares/", {"person": "bob", "level": "work"})
    browser = sign_in(bob)
    script(sandbox, status=200, body={"url": SECRET}, times=2)
    return browser, open_one(browser, uid).json()["alive"]


def read_ends(guest, uid: str) -> list[str]:
    """What bob's page says at its next sign of life, and where he loads it again."""
    browser, alive = guest
    again = browser.get(f"/workstations/{uid}/terminal/")
    assert (open_one(browser, uid).status_code, again.status_code) == (404, 404)
    texts = [browser.post(alive).json()["ended"]["text"], again.text]
    return [" ".join(text.replace("&#x27;", "'").split()) for text in texts]


@pytest.mark.parametrize("is_over", [{"ended_at": Now()}, {"until": Now()}])
def test_of_a_share_that_ended_a_guest_reads_that_alone_though_a_release_follows(sign_in, alice, guest, uid, is_over):
    models.Share.objects.update(**is_over)
    words = re.compile(r"alice shared this workstation with you until \d\d:\d\d UTC, ")
    assert all(words.search(text) for text in read_ends(guest, uid))
    sign_in(alice).post(f"/workstations/{uid}/release/")
    assert all(words.search(text) and "released" not in text for text in read_ends(guest, uid))


def test_who_may_only_look_now_reads_that_and_its_owner_reads_of_the_release(sandbox, sign_in, alice, guest, uid):
    browser = sign_in(alice)
    own = open_one(browser, uid).json()["alive"]
    browser.post(f"/workstations/{uid}/shares/", {"person": "bob", "level": "look"})
    ended = guest[0].post(guest[1]).json()["ended"]
    assert (ended["text"], ended["is_gone"]) == ("You may no longer use this workstation in this way.", True)
    browser.post(f"/workstations/{uid}/release/")
    assert browser.post(own).json()["ended"]["text"].startswith("alice released this workstation at ")
