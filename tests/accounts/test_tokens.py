"""Tokens on the pages: made once the password is typed, shown once, ended by their owner or an administrator."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from portal import models
from portal.services.people import invitations
from portal.services.tokens import tokens
from tests import factories
from tests.browser import Browser, forget_password, read
from tests.tokens import make_token

pytestmark = pytest.mark.django_db
WISH = {"name": "nightly build", "scopes": ["read", "request"], "days": "30"}


def test_it_is_shown_once(alice, sign_in):
    browser = sign_in(alice)
    page = read(browser.post("/accounts/tokens/new/", WISH))
    [text] = re.findall("wsp_[0-9A-Za-z]+", page)
    token = tokens.find_token(text=text, address="127.0.0.1")
    assert token is not None
    assert (token.person, token.name, token.scopes) == (alice, "nightly build", "read request")
    assert token.ends_at
    account = read(browser.get("/accounts/"))
    assert "nightly build" in account
    assert "See workstations and requests, Request and extend workstations" in account
    assert "never used" in account
    assert text not in account


def test_one_may_be_for_some_networks_and_without_an_end_and_its_owner_ends_it(alice, sign_in):
    browser = sign_in(alice)
    browser.post("/accounts/tokens/new/", WISH | {"addresses": "10.0.0.2, 2001:db8::/32", "days": ""})
    token = models.Token.objects.get()
    assert (token.addresses, token.ends_at) == ("10.0.0.2/32 2001:db8::/32", None)
    tokens.note_use(token=token)
    page = read(browser.get("/accounts/"))
    assert "Only from 10.0.0.2/32 2001:db8::/32" in page
    assert "without an end" in page
    assert "never used" not in page
    assert "nightly build" in read(browser.post(f"/accounts/tokens/{token.pk}/end/", follow=True))
    assert models.Token.objects.get().ended_at is not None
    assert "nightly build</bdi>" not in read(browser.get("/accounts/"))


@pytest.mark.parametrize("box", [{}, {"all_tokens": "on"}])
@pytest.mark.parametrize("how", ["password", "everywhere", "by an administrator", "factors", "link"])
def test_those_of_lost_laptops_end_with_the_rest_and_others_if_wished(alice, root, sign_in, how, box):
    laptop, build = (make_token(alice, name=name).row for name in ("wsp on laptop", "nightly build"))
    Authenticator.objects.create(user=alice, type="totp", data={})
    administrator = sign_in(root)
    words = "End all tokens of programs too"
    match how:
        case "password":
            browser, page = sign_in(alice), (path := reverse("password_change"))
        case "everywhere":
            browser, page, path = sign_in(alice), "/accounts/", "/accounts/sessions/end/"
        case "link":
            token = invitations.make_link(actor=root, person=alice).token
            browser, page = Browser(), (path := f"/join/{token}/")
        case _:
            browser, page = administrator, f"/people/{alice.pk}/"
            path = page + ("factors/reset/" if how == "factors" else "sign-out/")
    assert words in read(browser.get(page))
    new = "crimson-lattice-otter"
    sent = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new, "session": "others"}
    assert browser.post(path, sent | {"password": new, "password_again": new} | box).status_code == 302
    ended = {row.pk for row in models.Token.objects.exclude(ended_at=None)}
    assert ended == {laptop.pk, *([build.pk] if box else [])}
    assert factories.list_events("end-token").count() == len(ended)


def test_what_is_wrong_is_said(alice, sign_in):
    browser = sign_in(alice)
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "Type a name."),
        ({"name": "x" * 61}, "Shorten it to 60"),
        ({"scopes": []}, "Choose what it may do."),
        ({"scopes": ["all"]}, "This is not in the list."),
        *(({"days": odd}, "Enter a whole number from 1 to 3650.") for odd in ("0", "soon")),
        ({"addresses": "10.0.0.1/8"}, "Type addresses or networks"),
        ({"addresses": "10.0.0.1," * 60}, "Shorten it to 500"),
    ]
    for wrong, words in wishes:
        page = read(browser.post("/accounts/tokens/new/", WISH | wrong))
        assert words in page
        assert re.search("<title> ?Error:", page)
    assert not models.Token.objects.exists()


def test_only_what_the_person_may_is_offered(anna, sign_in):
    page = read(sign_in(anna).get("/accounts/tokens/new/"))
    assert "See workstations and requests" in page
    assert "Request workstations" not in page


def test_the_password_is_asked_for_first(alice, sign_in):
    browser, token = sign_in(alice), make_token(alice).row
    forget_password(browser)
    for answer in (
        browser.get("/accounts/tokens/new/"),
        browser.post("/accounts/tokens/new/", WISH),
        browser.post(f"/accounts/tokens/{token.pk}/end/"),
    ):
        assert answer.headers["Location"].startswith("/accounts/confirm/?next=%2Faccounts%2F")
    assert models.Token.objects.get().ended_at is None


def test_an_administrator_ends_somebody_s(alice, root, sign_in):
    browser, made = sign_in(root), make_token(alice)
    factories.update(alice, is_active=False)
    assert tokens.find_token(text=made.text, address="127.0.0.1") is None
    path = f"/people/{alice.pk}/"
    assert "a program" in read(browser.get(path))
    browser.post(f"{path}tokens/{made.row.pk}/end/")
    assert tokens.find_token(text=made.text, address="127.0.0.1") is None
    assert models.Token.objects.get().ended_by == root
    factories.update(alice, is_active=True)
    assert tokens.find_token(text=made.text, address="127.0.0.1") is None
    assert "Tokens for programs" not in read(browser.get(path))


def test_the_person_in_the_address_is_whose_it_is(alice, bob, root, sign_in):
    made = make_token(alice)
    assert sign_in(root).post(f"/people/{bob.pk}/tokens/{made.row.pk}/end/").status_code == 404
    assert sign_in(bob).post(f"/accounts/tokens/{made.row.pk}/end/").status_code == 404
    assert tokens.find_token(text=made.text, address="127.0.0.1")


def test_one_act_too_many_is_refused(alice, sign_in, use_up):
    use_up(alice, "act", 30)
    assert sign_in(alice).post("/accounts/tokens/new/", WISH).status_code == 429
    assert not models.Token.objects.exists()
