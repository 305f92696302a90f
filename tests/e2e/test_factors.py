"""Second factors in Chromium: an app's codes, and passkeys of a virtual authenticator."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import steps
from tests.e2e.conftest import Portal
from tests.e2e.steps import PASSWORD

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def device(page) -> Callable[..., Any]:
    """A device that keeps passkeys, and whose owner is always there: takes commands of DevTools."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    return lambda command, **values: session.send(f"WebAuthn.{command}", {**made, **values})


@pytest.fixture
def frida(page, portal, people, request) -> str:
    """Somebody new, signed in, by the name of the test."""
    name = request.node.name.removeprefix("test_")[:40]
    page.context.add_cookies(people["ada"]["cookies"])
    link = steps.add_person(page, portal.address, name, "Member")
    page.context.clear_cookies()
    steps.join(page, portal.address, link)
    return name


def type_password(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def begin_anew(page: Page, portal: Portal) -> None:
    """As in a browser in which nobody is signed in."""
    page.context.clear_cookies()
    page.goto(f"{portal.address}/accounts/login/")


def add_passkey(page: Page, address: str) -> None:
    page.goto(f"{address}/accounts/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def test_a_passkey_is_the_whole_sign_in_and_a_second_factor(page, portal, frida, device):
    add_passkey(page, portal.address)
    begin_anew(page, portal)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{portal.address}/")
    page.goto(f"{portal.address}/accounts/")
    expect(page.get_by_text("Passkey “Laptop”")).to_be_visible()

    begin_anew(page, portal)
    type_password(page, portal.address, frida)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{portal.address}/")


def test_who_has_no_passkey_is_told(page, portal, device):
    page.goto(f"{portal.address}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("The browser gave no passkey")).to_be_visible(timeout=60_000)
