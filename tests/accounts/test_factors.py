"""Second factors: codes of an app, recovery codes, who must have one, and that nothing is reached without."""

import re
import time

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.test import override_settings
from django.urls import reverse

from portal import models
from tests import factories
from tests.browser import Browser, forget_password, read

pytestmark = pytest.mark.django_db


def type_password(browser: Browser, name: str = "alice", **values: str):
    return browser.post(reverse("account_login"), {"username": name, "password": factories.PASSWORD, **values})


def add_app(browser: Browser) -> pyotp.TOTP:
    """Add an app by its page. The code that was typed there can still be used to sign in."""
    page = browser.get(reverse("mfa_activate_totp")).content.decode()
    app = pyotp.TOTP(re.findall(r'id="app-key"[^>]*>(\w+)<', page)[0])
    response = browser.post(reverse("mfa_activate_totp"), {"code": app.now()})
    assert response.headers["Location"] == reverse("mfa_view_recovery_codes")
    return app


@pytest.fixture
def app(alice, sign_in) -> pyotp.TOTP:
    return add_app(sign_in(alice))


def type_code(browser: Browser, code: str):
    return browser.post(reverse("mfa_authenticate"), {"code": code})


def test_after_the_password_a_code_is_asked_for(client, app):
    response = type_password(client, next="/workstations/")
    assert response.headers["Location"] == reverse("mfa_authenticate")
    assert client.get("/").headers["Location"].startswith(reverse("account_login"))
    response = type_code(client, app.now())
    assert response.headers["Location"] == "/workstations/"
    assert client.get("/").status_code == 200
    event = factories.find_event("sign-in")
    assert event.detail == {"factors": ["totp"]}


def test_a_code_counts_once(app):
    code = app.now()
    for expected in (302, 200):
        browser = Browser()
        type_password(browser)
        assert type_code(browser, code).status_code == expected


def test_an_old_code_and_another_apps_do_not_count(client, app):
    type_password(client)
    for code in (app.at(time.time() - 120), pyotp.TOTP(pyotp.random_base32()).now(), "", "not a code"):
        response = type_code(client, code)
        assert response.status_code == 200
        assert client.get("/").status_code == 302
    assert models.Limit.objects.get(kind="failure").left_out == 3


def test_each_recovery_code_lets_in_once(client, app, alice, sign_in):
    page = sign_in(alice).get(reverse("mfa_download_recovery_codes"))
    codes = page.content.decode().split()
    assert len(codes) == 10
    for code, expected in ((codes[0], 302), (codes[0], 200), (codes[1], 302)):
        browser = Browser()
        type_password(browser)
        assert type_code(browser, code).status_code == expected
    browser.post(reverse("mfa_generate_recovery_codes"))
    assert {*codes}.isdisjoint(browser.get(reverse("mfa_download_recovery_codes")).content.decode().split())
    assert {"factors": ["recovery_codes"]} in factories.list_events("sign-in").values_list("detail", flat=True)


def test_guessing_codes_has_to_wait_though_the_password_is_right(app, settings):
    settings.PORTAL_LIMITS = True
    guesser = Browser()
    type_password(guesser)
    statuses = [type_code(guesser, "000000").status_code for _ in range(6)]
    assert statuses[-1] == 429
    # Nor does the password, typed once more, begin the count anew.
    assert type_password(Browser()).status_code == 429


def reach_everything(browser: Browser) -> set[int]:
    """What the pages of somebody who is signed in answer."""
    paths = ["/", "/requests/", "/requests/new/", "/workstations/", "/accounts/", "/people/", "/admin/", "/usage/"]
    paths += [reverse("mfa_view_recovery_codes"), reverse("mfa_deactivate_totp"), reverse("password_change")]
    return {browser.get(path).status_code for path in paths}


def test_between_the_factors_nothing_is_reached_and_one_can_stop(client, app):
    type_password(client)
    assert reach_everything(client) == {302}
    assert client.post("/requests/new/", factories.fill_form()).status_code == 302
    assert not models.Request.objects.exists()
    client.post(reverse("logout"))
    assert client.get(reverse("mfa_authenticate")).headers["Location"] == reverse("account_login")


def test_whoever_is_deactivated_between_the_factors_does_not_get_in(client, app):
    type_password(client)
    models.User.objects.filter(username="alice").update(is_active=False)
    type_code(client, app.now())
    assert client.get("/").status_code == 302
    assert not factories.list_events("sign-in").exists()


def test_a_link_for_a_new_password_does_not_stand_for_the_factor(client, app, alice, root):
    invitation = factories.invitations.make_link(actor=root, person=alice)
    passwords = dict.fromkeys(("password", "password_again"), "four unusual words together")
    response = client.post(reverse("join", args=[invitation.token]), passwords)
    assert response.headers["Location"] == reverse("mfa_authenticate")
    assert client.get("/").status_code == 302


def test_nor_does_the_former_password_with_the_factor_since(client, app, alice, root):
    type_password(client)
    invitation = factories.invitations.make_link(actor=root, person=alice)
    passwords, browser = dict.fromkeys(("password", "password_again"), "four unusual words together"), Browser()
    browser.post(reverse("join", args=[invitation.token]), passwords)
    assert type_code(client, app.now()).headers["Location"] == reverse("account_login")
    assert client.get("/").status_code == 302
    assert type_code(browser, app.at(time.time() + 30)).headers["Location"] == "/"
    assert browser.get("/").status_code == 200


def test_secrets_are_encrypted(app):
    for row in Authenticator.objects.all():
        assert app.secret not in str(row.data)
        assert all(value.startswith("gAAAA") for name, value in row.data.items() if name in ("secret", "seed"))


def test_they_can_be_read_after_the_secret_key_was_changed_with_the_former_one_alone(client, app, settings, sign_in):
    former = settings.SECRET_KEY
    with override_settings(SECRET_KEY="another " * 8):
        browser = sign_in(models.User.objects.get(username="alice"))
        assert "0 recovery codes left" in read(browser.get(reverse("account")))
        for name in ("mfa_view_recovery_codes", "mfa_download_recovery_codes", "mfa_generate_recovery_codes"):
            assert "SECRET_KEY was changed" in read(browser.get(reverse(name), follow=True)), name
        type_password(client)
        assert "SECRET_KEY was changed" in read(type_code(client, app.now()))
        with override_settings(SECRET_KEY_FALLBACKS=[former]):
            assert type_code(client, app.now()).status_code == 302


@pytest.mark.parametrize(
    ("setting", "must"),
    [("optional", []), ("operators", ["olga", "anna", "root"]), ("everybody", ["alice", "olga", "anna", "root"])],
)
def test_who_must_have_one_gets_nowhere_before(alice, olga, anna, root, setting, must):
    factories.set_policy(second_factor=setting)
    for name in ("alice", "olga", "anna", "root"):
        browser = Browser()
        type_password(browser, name)
        assert (browser.get("/").headers.get("Location") == reverse("mfa_activate_totp")) == (name in must)
    if must:
        assert browser.get("/live/", headers={"HX-Request": "true"}).headers["HX-Redirect"]
        assert reach_everything(browser) <= {302, 404}
        assert browser.post("/requests/new/", factories.fill_form()).status_code == 302
        add_app(browser)
        assert browser.get("/").status_code == 200
        browser.post(reverse("mfa_deactivate_totp"))
        assert browser.get("/").headers["Location"] == reverse("mfa_activate_totp"), "it was removed again"
    assert not models.Request.objects.exists()


def test_factors_are_changed_by_who_has_proved_who_they_are(alice, sign_in):
    browser = sign_in(alice)
    add_app(browser)
    forget_password(browser)
    for name in ("mfa_view_recovery_codes", "mfa_download_recovery_codes", "mfa_generate_recovery_codes"):
        assert browser.get(reverse(name)).headers["Location"].startswith(reverse("confirm"))
    for name in ("mfa_deactivate_totp", "mfa_add_webauthn", "mfa_generate_recovery_codes"):
        assert browser.post(reverse(name)).headers["Location"].startswith(reverse("confirm"))
    assert Authenticator.objects.count() == 2


def test_an_administrator_resets_them_and_whoever_is_asked_for_a_code_signs_in_anew(app, alice, root, sign_in, client):
    type_password(client)
    assert client.get(reverse("account_login")).headers["Location"] == reverse("mfa_authenticate")
    browser, open_before = sign_in(root), sign_in(alice)
    assert "Reset the second factor" in browser.get(reverse("person_detail", args=[alice.pk])).text
    browser.post(reverse("person_factors_reset", args=[alice.pk]))
    event = factories.find_event("reset-factors")
    assert (event.actor_name, event.target) == ("root", "user alice")
    assert event.detail == {"factors": ["recovery_codes", "totp"]}
    assert client.get(reverse("mfa_authenticate")).headers["Location"] == reverse("account_login")
    assert client.get(reverse("account_login")).status_code == 200
    assert type_password(client).headers["Location"] == "/"
    browser.post(reverse("person_sign_out", args=[alice.pk]))
    assert [one.get("/").status_code for one in (client, open_before)] == [302, 302]


def test_a_command_resets_those_of_the_only_administrator(root, sign_in, client):
    add_app(sign_in(root))
    call_command("reset_second_factors", "root")
    event = factories.find_event("reset-factors")
    assert event.actor_name == ""
    assert event.detail["command"] == "reset_second_factors"
    assert type_password(client, "root").headers["Location"] == "/"
