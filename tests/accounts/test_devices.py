"""`wsp login` at its pages: a code is asked for, somebody approves it, and the program fetches its token once."""

import base64
import os
import pickle
import re
from datetime import timedelta

import pytest
from allauth.idp.oidc.internal.oauthlib.device_codes import cache_device_code_key
from allauth.idp.oidc.models import Client, Token
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from portal import models
from portal.models.event import Verb
from portal.services.people import sessions
from portal.services.tokens import tokens
from tests import factories
from tests.browser import Browser, forget_password, read

pytestmark = pytest.mark.django_db
PAGE, CODE, TOKEN = "/accounts/device/", "/accounts/device/code/", "/accounts/device/token/"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(autouse=True)
def _polls_as_it_likes(settings) -> None:
    settings.IDP_OIDC_DEVICE_CODE_INTERVAL = 0


class Program:
    """`wsp`, on a machine of its own."""

    def __init__(self, **given: str) -> None:
        self._http = Browser(enforce_csrf_checks=True, REMOTE_ADDR="203.0.113.9")
        answer = self._http.post(CODE, {"client_id": "wsp", "host": "laptop"} | given)
        assert answer.status_code == 200
        self.asked = answer.json()
        self.code = self.asked["user_code"]

    def poll(self, **given: str) -> dict[str, str]:
        sent = {"client_id": "wsp", "grant_type": GRANT, "device_code": self.asked["device_code"]}
        return self._http.post(TOKEN, sent | given).json()


@pytest.fixture
def program(db) -> Program:
    return Program()


def answer(browser: Browser, code: str, how: str = "approve", **given: list[str]) -> str:
    sent = {"code": code, "answer": how, "scopes": models.Token.Scope.values} | given
    return read(browser.post(PAGE, sent, follow=True))


def test_who_approves_sees_what_is_asked_for(program, alice, sign_in):
    browser = sign_in(alice)
    page = read(browser.get(PAGE))
    assert "Whoever sent you a code would get in as you." in page
    page = read(browser.post(PAGE, {"code": program.code}))
    for words in ("wsp on laptop", "203.0.113.9", program.code, "90 days", *map(str, models.Token.Scope.labels)):
        assert words in page
    assert program.poll()["error"] == "authorization_pending"


def test_the_token_is_the_portal_s_own(program, alice, sign_in):
    browser = sign_in(alice)
    assert "“wsp on laptop” gets its token" in answer(browser, program.code)
    given = program.poll()
    assert given["base_url"] == "http://127.0.0.1:8002/v1"
    token = tokens.find_token(text=given["access_token"], address="203.0.113.9")
    assert token is not None
    assert given["access_token"].startswith("wsp_")
    assert (token.person, token.name, token.scopes) == (alice, "wsp on laptop", "read request release open")
    assert token.ends_at
    assert abs(token.ends_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    event = factories.find_event(Verb.MAKE_TOKEN)
    assert (event.actor_name, event.address) == ("alice", "203.0.113.9")
    assert "wsp on laptop" in read(browser.get("/accounts/"))
    browser.post(f"/accounts/tokens/{token.pk}/end/")
    assert tokens.find_token(text=given["access_token"], address="203.0.113.9") is None


def test_the_identity_provider_keeps_nothing(program, alice, sign_in):
    answer(sign_in(alice), program.code)
    assert "access_token" in program.poll()
    assert not Token.objects.exists()
    assert [(row.pk, row.type, row.secret) for row in Client.objects.all()] == [("wsp", "public", "")]
    assert models.CacheEntry.objects.count() == 1  # the code that was typed


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["HARM"],)


def test_nothing_that_is_written_in_the_table_of_codes_counts(program, alice, sign_in, tmp_path, monkeypatch):
    """Nor runs: neither what is pickled, nor another row's value."""
    monkeypatch.setenv("HARM", str(tmp_path / "harm"))
    key = f":1:{cache_device_code_key('x')}"  # as Django's own would call it
    pickled = base64.b64encode(pickle.dumps(_Harm())).decode()
    rows = {key: pickled, cache.make_key(cache_device_code_key("x")): pickled}
    rows[cache.make_key(cache_device_code_key("y"))] = models.CacheEntry.objects.latest("pk").value
    for name, value in rows.items():
        with connection.cursor() as cursor:
            expires = timezone.now() + timedelta(hours=1)
            cursor.execute("INSERT INTO portal_cache VALUES (%s, %s, %s)", [name, value, expires])
    for code in ("x", "y"):
        assert program.poll(device_code=code) == {"error": "invalid_grant"}
    assert not (tmp_path / "harm").exists()
    kept = str(models.CacheEntry.objects.values_list()).lower()
    assert not [code for code in (program.code, program.asked["device_code"]) if code.lower() in kept]


def test_it_is_given_once(program, alice, bob, sign_in):
    answer(sign_in(alice), program.code)
    assert "This code is incorrect, was used before" in answer(sign_in(bob), program.code)
    assert "access_token" in program.poll()
    assert program.poll() == {"error": "invalid_grant"}
    assert models.Token.objects.count() == 1


def test_denying_ends_it(program, alice, sign_in):
    assert "“wsp on laptop” gets no token" in answer(sign_in(alice), program.code, "deny")
    assert program.poll()["error"] == "access_denied"
    assert "This code is incorrect, was used before" in answer(sign_in(alice), program.code)
    assert not models.Token.objects.exists()


def test_nothing_is_approved_by_a_look(program, alice, sign_in):
    browser = sign_in(alice)
    browser.get(PAGE, {"code": program.code, "answer": "approve"})
    browser.post(f"{PAGE}?code={program.code}&answer=approve")
    assert program.poll()["error"] == "authorization_pending"


def test_a_code_ends_after_ten_minutes(program, alice, sign_in):
    models.CacheEntry.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert "This code is incorrect, was used before" in answer(sign_in(alice), program.code)
    assert program.poll()["error"] == "invalid_grant"


@pytest.mark.parametrize("dash", ["", " ", "-"])
def test_a_code_may_be_typed_in_several_ways(program, alice, sign_in, dash):
    assert "Approved" in answer(sign_in(alice), program.code.lower().replace("-", dash))


@pytest.mark.parametrize("code", ["", "BCDF", "\x00", "BCDF-GHJK", "x" * 1000])
def test_a_wrong_code_is_said_to_be(program, alice, sign_in, code):
    page = answer(sign_in(alice), code)
    assert re.search("<title> ?Error:", page)
    assert program.poll()["error"] == "authorization_pending"


def test_who_guesses_has_to_wait(program, alice, bob, sign_in, settings):
    settings.PORTAL_LIMITS = True
    browser = sign_in(alice)
    for _ in range(10):
        assert browser.post(PAGE, {"code": "BCDF-GHJK"}).status_code == 200
    late = browser.post(PAGE, {"code": program.code, "answer": "approve"})
    assert late.status_code == 429
    assert "You can type 10 codes a minute." in read(late)
    assert program.poll()["error"] == "authorization_pending"
    assert "Approved" in answer(sign_in(bob), program.code)


def test_who_asks_for_code_after_code_has_to_wait(alice, sign_in):
    programs = [Program() for _ in range(20)]
    asking = Browser(REMOTE_ADDR="203.0.113.9")
    refused = asking.post(CODE, {"client_id": "wsp"})
    assert (refused.status_code, refused["Retry-After"]) == (429, "10")
    assert Browser(REMOTE_ADDR="203.0.113.10").post(CODE, {"client_id": "wsp"}).status_code == 200
    answer(sign_in(alice), programs[-1].code)
    assert programs[-1].poll()["access_token"]
    assert asking.post(CODE, {"client_id": "wsp"}).status_code == 200


def test_the_password_is_asked_for_first(program, alice, sign_in):
    browser = sign_in(alice)
    forget_password(browser)
    for got in (browser.get(PAGE), browser.post(PAGE, {"code": program.code, "answer": "approve"})):
        assert got.headers["Location"] == "/accounts/confirm/?next=%2Faccounts%2Fdevice%2F"
    assert program.poll()["error"] == "authorization_pending"


def test_who_is_deactivated_meanwhile_gives_nothing(program, alice, sign_in):
    answer(sign_in(alice), program.code)
    factories.update(alice, is_active=False)
    assert program.poll()["error"] == "access_denied"
    assert not models.Token.objects.exists()


def test_a_service_account_gives_nothing(program, alice, sign_in):
    factories.update(alice, is_service=True, password=make_password(None))
    alice.refresh_from_db()
    answer(sign_in(alice), program.code)
    assert program.poll()["error"] == "access_denied"
    assert not models.Token.objects.exists()


def test_it_may_what_its_person_ticks_and_may(program, anna, sign_in):
    browser = sign_in(anna)
    page = browser.post(PAGE, {"code": program.code}).text
    assert "Request and extend workstations" not in page
    assert page.count(" checked") == 3
    for scopes, said in (([], "Choose what it may do"), (["request"], "is not in the list")):
        assert said in answer(browser, program.code, scopes=scopes)
    assert program.poll()["error"] == "authorization_pending"
    answer(browser, program.code, scopes=["open", "read"])
    program.poll()
    assert models.Token.objects.get().scopes == "read open"


@pytest.mark.parametrize("grant", ["authorization_code", "client_credentials", "refresh_token", "password", ""])
def test_there_is_no_other_grant(program, alice, sign_in, grant):
    answer(sign_in(alice), program.code)
    given = program.poll(grant_type=grant, username="alice", password="x", code="x", refresh_token="x")
    assert given["error"] == "access_denied"


@pytest.mark.parametrize("given", [{"client_id": "other"}, {"client_id": ""}, {"scope": "admin"}, {"scope": "\x00"}])
def test_there_is_no_other_client_and_no_other_scope(db, given):
    assert Browser().post(CODE, {"client_id": "wsp"} | given).status_code == 400


@pytest.mark.parametrize("given", [{"client_id": "\x00"}, {"device_code": "\x00"}, {"device_code": "x" * 101}])
@pytest.mark.parametrize("path", [CODE, TOKEN])
def test_what_no_code_can_be_is_not_looked_for(db, caplog, path, given):
    assert Browser().post(path, {"client_id": "wsp", "grant_type": GRANT} | given).status_code == 400
    assert not caplog.records


def test_a_poll_too_early_is_told_so(alice, settings):
    settings.IDP_OIDC_DEVICE_CODE_INTERVAL = 5
    program = Program()
    assert program.poll()["error"] == "authorization_pending"
    assert program.poll()["error"] == "slow_down"


def test_a_machine_s_name_may_be_any_text(alice, sign_in):
    browser, name = sign_in(alice), "\x00<b>élan</b> 2 \x1b" + "x" * 99
    page = read(browser.post(PAGE, {"code": Program(host=name).code}))
    assert f"<bdi>wsp on &lt;b&gt;élan&lt;/b&gt; 2 {'x' * 36}</bdi>" in page


def test_an_approval_ends_with_the_sessions_and_counts_no_longer_than_its_code(program, alice, sign_in):
    answer(sign_in(alice), program.code)
    sessions.end_sessions(person=alice, by=alice, chosen=None)
    assert program.poll()["error"] == "access_denied"
    cache.set("x", 1, timeout=-1)
    models.CacheEntry.objects.update(expires=timezone.now() + timedelta(days=1))
    assert cache.get("x") is None
