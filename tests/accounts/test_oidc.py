"""Sign-in by an issuer: whom it lets in and as what, and that nothing it says counts unless it is proven."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from html import unescape

import pyotp
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from portal import models
from portal.accounts import oidc
from portal.services.people import issuers
from tests import factories
from tests.accounts import issuer as doubles
from tests.browser import Browser, read

pytestmark = pytest.mark.django_db

START = reverse("openid_connect_login", args=["acme"])
BACK = reverse("openid_connect_callback", args=["acme"])
EMAIL = "clara@example.com"


@pytest.fixture
def acme(settings):
    caches["issuers"].clear()
    with doubles.running() as issuer:
        settings.PORTAL_OIDC = issuer.settings(domains=frozenset({"example.com"}))
        issuer.claims |= {"email": EMAIL, "email_verified": True, "name": "Clara Weiss", "preferred_username": "clara"}
        yield issuer


@pytest.fixture
def clara(root):
    """Invited, and has chosen no password."""
    person = factories.add_person(root, "cw").person
    factories.update(person, email="Clara@Example.com")
    return person


def leave(browser: Browser, **values: str) -> str:
    """The issuer's address, where the browser is led."""
    response = browser.post(START, values)
    assert response.status_code == 200, response.text
    return unescape(re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', response.text)[0])


def go(browser: Browser, acme: doubles.Issuer, **values: str):
    """Sign in there, and come back."""
    return browser.get(BACK, acme.authorize(leave(browser, **values)))


def check_away(browser: Browser, acme: doubles.Issuer) -> None:
    response = browser.post(START)
    if response.status_code == 200:
        response = go(browser, acme)
    assert response.status_code == 503
    assert not is_signed_in(browser)


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/").status_code == 200


def read_roles(name: str) -> list[str]:
    person = models.User.objects.get(username=name)
    return [*person.groups.order_by("name").values_list("name", flat=True), *(["admin"] * person.is_superuser)]


def test_whoever_was_invited_is_known_by_a_verified_address_and_later_by_the_issuer_s_number(client, acme, clara):
    response = go(client, acme, next="/workstations/")
    assert response.headers["Location"] == "/workstations/"
    assert is_signed_in(client)
    event = factories.find_event("sign-in")
    assert (event.actor_name, event.detail) == ("cw", {"issuer": "acme"})
    acme.claims |= {"email": "other@example.com"}
    again = Browser()
    go(again, acme)
    assert is_signed_in(again)
    assert factories.list_events("link-identity").count() == 1
    assert models.User.objects.filter(socialaccount__isnull=False).get() == clara


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": "clara@example.com.evil.example"},
        {"email": "clara@other.example"},
        {"email": "root@example.com"},
        {"email": None},
        {"email": "\x00@example.com"},
        {"email": "cl\u200bara@example.com"},
        {"email": "v\u0131ra@example.com"},
    ],
)
def test_an_address_that_proves_nothing_links_nobody(client, acme, clara, claims):
    models.User.objects.filter(username="cw").update(is_superuser=True)
    factories.create_user("vira", "Members", email="vira@example.com")
    acme.claims |= claims
    response = go(client, acme)
    assert response.status_code == 403
    assert "Nobody has added you here" in read(response)
    assert not is_signed_in(client)
    assert not SocialAccount.objects.exists()
    assert factories.find_event("sign-in-failed").detail["factor"] == "acme"
    assert "Use another account" in read(response)
    assert "prompt=login" in leave(client, again="1")


def test_an_address_links_once_and_of_two_people_neither(client, acme, clara, alice):
    factories.update(alice, email=EMAIL)
    assert go(client, acme).status_code == 403
    assert not SocialAccount.objects.exists()
    factories.update(alice, email="")
    go(Browser(), acme)
    acme.claims["sub"] = "somebody else with the chief's address"
    assert go(client, acme).status_code == 403
    assert not is_signed_in(client)


def test_new_people_come_in_only_where_they_may(client, acme, settings):
    assert go(client, acme).status_code == 403
    assert not models.User.objects.exists()
    settings.PORTAL_OIDC = acme.settings(can_sign_up=True)
    assert go(client, acme).status_code == 302
    person = models.User.objects.get()
    assert (person.username, person.get_full_name(), person.email) == ("clara", "Clara Weiss", EMAIL)
    assert read_roles("clara") == ["Members"]
    assert factories.list_events("add-person").count() == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("alice", "alice2"),
        ("Alice", "Alice2"),
        ("\uff41lice", "alice2"),
        ("clara weiss", "claraweiss"),
        ("\x00", "clara"),
        ("аlice", "person-"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_name_is_chosen_that_nobody_has(client, acme, alice, settings, said, expected):
    settings.PORTAL_OIDC = acme.settings(can_sign_up=True)
    acme.claims |= {"preferred_username": said, "name": "\x00Clara"}
    assert go(client, acme).status_code == 302
    person = models.User.objects.exclude(pk=alice.pk).get()
    assert person.username.startswith(expected)
    assert person.get_full_name() == "Clara"


def test_groups_give_roles_at_each_sign_in_and_take_them_away(client, acme, settings):
    roles = {"staff": "members", "ops": "operators", "audit": "auditors", "chiefs": "administrators"}
    settings.PORTAL_OIDC = acme.settings(can_sign_up=True, roles=roles)
    assert "none of the groups" in read(go(client, acme))
    assert not models.User.objects.exists()
    for groups, expected in (
        (["staff", "other", 7], ["Members"]),
        (["ops", "audit"], ["Auditors", "Operators"]),
        ("chiefs", ["Members", "Operators", "admin"]),
        (["staff", ["chiefs"], {"ops": 1}], ["Members"]),
    ):
        acme.claims["groups"] = groups
        client = Browser()
        assert go(client, acme).status_code == 302
        assert read_roles("clara") == expected
    acme.claims["groups"] = []
    assert is_signed_in(client)
    assert go(Browser(), acme).status_code == 403
    assert read_roles("clara") == []
    assert not is_signed_in(client)
    assert (
        list(models.Event.objects.filter(target="user clara", verb="change-person").values_list("actor_name"))
        == [("",)] * 4
    )


@pytest.mark.parametrize("groups", [None, [], 7, True, "staff ops", [["staff"]]])
def test_an_invited_person_in_no_group_is_not_linked(client, acme, clara, settings, groups):
    acme.claims["groups"] = groups
    settings.PORTAL_OIDC = acme.settings(roles={"staff": "members"}, domains=frozenset({"example.com"}))
    assert go(client, acme).status_code == 403
    assert not SocialAccount.objects.exists()
    assert read_roles("cw") == ["Members"]


@pytest.mark.parametrize("is_linked", [False, True])
def test_nobody_who_is_deactivated_or_a_service_account_gets_in(client, acme, clara, settings, is_linked):
    settings.PORTAL_OIDC = acme.settings(can_sign_up=True, domains=frozenset({"example.com"}))
    if is_linked:
        go(Browser(), acme)
    factories.update(clara, is_active=False)
    assert "deactivated" in read(go(client, acme))
    assert not is_signed_in(client)
    settings.PORTAL_OIDC = acme.settings(domains=frozenset({"example.com"}))
    clara.set_unusable_password()
    factories.update(clara, is_active=True, is_service=True, password=clara.password)
    go(client, acme)
    assert not is_signed_in(client)
    assert SocialAccount.objects.exists() == is_linked


@pytest.mark.parametrize("algorithm", doubles.KEYS)
def test_a_token_counts_by_its_signature(client, acme, clara, algorithm):
    acme.algorithm, now = algorithm, int(time.time())
    acme.wrong = {"iat": now + 45, "exp": now - 45}  # clocks may differ by a little
    assert go(client, acme, next="https://evil.example/").headers["Location"] == "/"
    assert is_signed_in(client)


NOW = int(time.time())
LIES = {
    "another issuer": {"wrong": {"iss": "https://issuer.example"}},
    "for another client": {"wrong": {"aud": "another"}},
    "for another client too, that asked": {"wrong": {"aud": ["portal", "another"], "azp": "another"}},
    "for several, and of none of them": {"wrong": {"aud": ["portal", "another"]}},
    "of another sign-in": {"wrong": {"nonce": "another"}},
    "of none": {"wrong": {"nonce": None}},
    "expired": {"wrong": {"iat": NOW - 900, "exp": NOW - 600}},
    "without an end": {"wrong": {"exp": None}},
    "of nobody": {"wrong": {"sub": None}},
    "of an empty number": {"wrong": {"sub": ""}},
    "of a number that no database keeps": {"wrong": {"sub": "1\x002"}},
    "of a number too long": {"wrong": {"sub": "1" * 192}},
    "from a clock a day ahead": {"wrong": {"iat": NOW + 86_400, "exp": NOW + 86_700}},
    "unsigned": {"algorithm": "none"},
    "signed with the client's secret": {"algorithm": "HS256", "key": doubles.CLIENT_SECRET},
    "signed by a stranger": {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
    "weaker than what is agreed": {"algorithm": "RS512", "key": doubles.RSA},
    "of somebody else than userinfo's": {"told": {"sub": "1"}},
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_proves_nothing_lets_nobody_in(client, acme, clara, lie):
    vars(acme).update(LIES[lie])
    response = go(client, acme)
    assert response.status_code == 403
    assert "You could not be signed in with Acme" in read(response)
    assert not is_signed_in(client)
    assert not SocialAccount.objects.exists()


def test_what_came_back_once_counts_once_and_in_the_browser_that_asked(client, acme, clara):
    brought = acme.authorize(leave(client))
    assert client.get(BACK, {"error": "access_denied", "state": brought["state"]}).status_code == 400
    assert not is_signed_in(client)
    brought = acme.authorize(leave(client))
    assert Browser().get(BACK, brought).status_code == 400
    assert Browser().get(BACK, {"code": "x"}).status_code == 400
    client.get(BACK, brought)
    assert is_signed_in(client)
    assert client.get(BACK, brought).status_code == 400
    assert is_signed_in(client)


def test_an_issuer_that_is_away_is_said_and_why_is_in_the_log(client, acme, clara, settings, caplog):
    acme.status = 500
    assert client.post(START).status_code == 503
    assert "500 Server Error" in caplog.text
    acme.status = 200
    brought = acme.authorize(leave(client))
    acme.status = 500
    assert client.get(BACK, brought).status_code == 503
    settings.PORTAL_OIDC = acme.settings(url="http://127.0.0.1:9")
    assert "did not answer" in read(client.post(START))
    assert client.get(reverse("account_login")).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_an_issuer_that_hangs_holds_up_few_and_strangers_nobody_else(acme, alice, settings):
    known = Browser()
    known.post(reverse("account_login"), {"username": "alice", "password": factories.PASSWORD})
    known.post(reverse("logout"))
    acme.hold.clear()

    def press(browser: Browser) -> int:
        with closing(connection):
            return browser.post(START).status_code

    with doubles.running() as other, ThreadPoolExecutor(5) as threads:
        settings.PORTAL_OIDC |= other.settings(name="other")
        hanging = [threads.submit(press, Browser()) for _ in range(4)]
        assert all(acme.arrived.acquire(timeout=10) for _ in range(4))
        assert Browser().post(START).status_code == 503
        assert Browser().post(reverse("openid_connect_login", args=["other"])).status_code == 200
        hanging.append(threads.submit(press, known))
        assert acme.arrived.acquire(timeout=10)
        acme.hold.set()
        assert {one.result() for one in hanging} == {200}


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://issuer.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": None},
        {"token_endpoint": None},
    ],
)
def test_what_it_publishes_is_looked_at(client, acme, clara, published):
    acme.published |= published
    check_away(client, acme)


PATHS = ("/.well-known/openid-configuration", "/keys", "/token", "/userinfo")


@pytest.mark.parametrize("fault", ["long", "slow head", "slow body"])
@pytest.mark.parametrize("path", PATHS)
def test_an_answer_of_more_than_a_mebibyte_or_too_many_seconds_is_none(client, acme, clara, path, fault, monkeypatch):
    monkeypatch.setattr(issuers, "_LONGEST", 0.3)
    acme.faults[path] = fault
    check_away(client, acme)


@pytest.mark.parametrize("path", PATHS)
def test_it_leads_the_portal_nowhere_else(client, acme, clara, path):
    acme.moved[path] = f"{acme.url}{path}?elsewhere"
    check_away(client, acme)
    assert f"{path}?elsewhere" not in acme.asked


def test_coming_by_it_takes_no_guess_back(acme, clara):
    for number in range(21):
        values = {"username": f"nobody{number}", "password": "guess"}
        response = Browser(REMOTE_ADDR="198.51.100.7").post(reverse("account_login"), values)
        go(Browser(REMOTE_ADDR="198.51.100.7"), acme)
    assert response.status_code == 429


def test_what_it_publishes_is_kept_and_keys_are_read_anew_where_they_changed(acme, clara):
    for _ in range(2):
        go(Browser(), acme)
    assert [path for path in acme.asked if path in ("/keys", "/.well-known/openid-configuration")] == [
        "/.well-known/openid-configuration",
        "/keys",
    ]
    acme.keys["RS256"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    browser = Browser()
    go(browser, acme)
    assert is_signed_in(browser)
    assert acme.asked.count("/keys") == 2


def test_nobody_starts_by_a_link_of_another_page(client, acme):
    assert client.get(START).status_code == 405
    assert Browser(enforce_csrf_checks=True).post(START).status_code == 403
    assert client.post(reverse("openid_connect_login", args=["other"])).status_code == 404
    assert client.get(reverse("openid_connect_callback", args=["other"])).status_code == 404


def test_it_stands_for_both_factors(client, acme, clara):
    factories.set_policy(second_factor="everybody")
    go(client, acme)
    assert is_signed_in(client)
    go(client, acme)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    secret = re.findall(r'id="app-key"[^>]*>(\w+)<', page)[0]
    client.post(reverse("mfa_activate_totp"), {"code": pyotp.TOTP(secret).now()})
    again = Browser()
    go(again, acme)
    assert is_signed_in(again)


@pytest.fixture
def chief(client, acme, clara):
    """An administrator who has just come by the issuer, which may have asked for nothing."""
    go(client, acme)
    factories.update(clara, is_superuser=True)
    return client


def test_whoever_came_by_it_proves_there_that_it_is_them(acme, chief):
    assert chief.get("/people/new/").headers["Location"].startswith(reverse("confirm"))
    page = read(chief.get(f"{reverse('confirm')}?next=/people/new/"))
    assert "Sign in with Acme" in page
    assert 'type="password"' not in page
    assert chief.post(reverse("confirm"), {"password": factories.PASSWORD}).status_code == 200
    assert chief.get("/people/new/").status_code == 302
    assert go(chief, acme, next="/people/new/").headers["Location"] == "/people/new/"
    assert chief.get("/people/new/").status_code == 200


@pytest.mark.parametrize(
    "lie",
    [
        *({"auth_time": at} for at in (1, None, "soon", float("nan"), NOW + 10**9)),
        *({"sub": "somebody else"}, {"nonce": "another"}),
    ],
)
def test_a_proof_is_fresh_and_of_the_same_person(acme, chief, lie):
    acme.wrong, acme.told = lie, {"sub": lie.get("sub", acme.claims["sub"])}
    assert go(chief, acme).status_code in (403, 503)
    assert chief.get("/people/new/").status_code == 302
    assert is_signed_in(chief)


def test_a_proof_brings_the_roles_of_now(client, acme, settings):
    settings.PORTAL_OIDC = acme.settings(can_sign_up=True, roles={"staff": "members", "chiefs": "administrators"})
    acme.claims["groups"] = ["chiefs"]
    go(client, acme)
    acme.claims["groups"] = ["staff"]
    assert go(client, acme, next="/people/new/").status_code == 302
    assert client.get("/people/new/").status_code == 403
    acme.claims["groups"] = []
    response = go(client, acme)
    assert response.status_code == 403
    assert "none of the groups" in read(response)
    assert not is_signed_in(client)


def test_a_proof_is_not_for_who_signed_in_meanwhile(acme, chief, alice):
    brought = acme.authorize(leave(chief))
    chief.post(reverse("logout"))
    chief.post(reverse("account_login"), {"username": "alice", "password": factories.PASSWORD})
    assert is_signed_in(chief)
    assert chief.get(BACK, brought).status_code == 400


@pytest.mark.parametrize("how", ["as it says", "none", "away"])
def test_signing_out_leads_there_and_works_where_it_offers_none_or_is_away(acme, chief, how):
    if how == "none":
        caches["issuers"].clear()
        del acme.published["end_session_endpoint"]
    elif how == "away":
        caches["issuers"].clear()
        acme.status = 500
    response = chief.post(reverse("logout"))
    if how == "as it says":
        address = unescape(re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', response.text)[0])
        assert address.startswith(f"{acme.url}/end?client_id=portal&post_logout_redirect_uri=http")
    else:
        assert response.headers["Location"] == reverse("account_login")
    assert not is_signed_in(chief)


def test_passwords_can_be_switched_off(client, acme, alice, settings):
    settings.PORTAL_PASSWORD_SIGN_IN = False
    page = read(client.get(reverse("account_login")))
    assert "Sign in with Acme" in page
    assert 'name="password"' not in page
    client.post(reverse("account_login"), {"username": "alice", "password": factories.PASSWORD})
    client.post(reverse("mfa_login_webauthn"), {"credential": "{}"})
    assert not is_signed_in(client)


def test_without_passwords_nobody_is_given_a_link(client, acme, root, sign_in, settings):
    administrator = sign_in(root)
    settings.PORTAL_PASSWORD_SIGN_IN = False
    administrator.post(reverse("person_link", args=[root.pk]))
    assert not models.SignInLink.objects.exists()
    values = {"username": "cw", "name": "Clara", "email": EMAIL, "role": "administrator"}
    assert administrator.post("/people/new/", values).headers["Location"] == reverse("people_list")
    assert not models.SignInLink.objects.exists()
    go(client, acme)
    assert is_signed_in(client)
    assert 'href="/accounts/app/"' not in client.get("/accounts/").text


def test_a_role_that_groups_decide_is_changed_there(client, acme, root, sign_in, settings):
    settings.PORTAL_OIDC = acme.settings(can_sign_up=True, roles={"staff": "members"})
    acme.claims["groups"] = ["staff"]
    go(client, acme)
    person = models.User.objects.get(username="clara")
    administrator = sign_in(root)
    assert "Acme decides by its groups" in read(administrator.get(f"/people/{person.pk}/"))
    administrator.post(f"/people/{person.pk}/role/", {"role": "administrator"})
    assert read_roles("clara") == ["Members"]


def test_an_identity_can_be_unlinked(client, acme, clara, root, sign_in):
    go(client, acme)
    response = sign_in(root).post(reverse("person_identities_remove", args=[clara.pk]))
    assert response.status_code == 302
    assert not is_signed_in(client)
    assert factories.find_event("unlink-identity").detail == {"issuers": ["acme"]}
    acme.claims["sub"] = "a new account there"
    go(client, acme)
    assert is_signed_in(client)


def test_a_command_lets_somebody_in_while_the_issuer_is_away(client, acme, clara, settings, capsys):
    settings.PORTAL_PASSWORD_SIGN_IN = False
    call_command("sign_in_link", "cw")
    passwords = dict.fromkeys(("password", "password_again"), "four unusual words together")
    client.post(capsys.readouterr().out.strip(), passwords)
    assert is_signed_in(client)
    assert factories.list_events("make-link").latest("pk").detail["command"] == "sign_in_link"
    with pytest.raises(CommandError):
        call_command("sign_in_link", "nobody")


def test_an_address_is_verified_by_who_says_it(client, acme, clara):
    acme.claims["email_verified"], acme.told = None, {"email": "other@example.com", "email_verified": True}
    assert go(client, acme).status_code == 403
    assert not SocialAccount.objects.exists()


def test_only_an_issuer_of_this_machine_names_others_of_it(acme):
    address = "https://issuer.example/.well-known/openid-configuration"
    document = {"token_endpoint": "http://127.0.0.1:8407/token"}
    assert not oidc.is_safe(document, address=address)
    assert oidc.is_safe(document, address=acme.url)
