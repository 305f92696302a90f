"""Sign-in by a certified OpenID Connect provider, in Chromium."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests import ports
from tests.e2e import steps
from tests.e2e.conftest import ROOT, Portal

PEOPLE: dict[str, dict[str, Any]] = {
    "clara": {"email": "clara@example.com", "email_verified": True},
    "mallory": {"email": "clara@example.com", "email_verified": False},
    "olga": {"preferred_username": "olga", "name": "Olga Berg", "groups": ["team-lead"]},
}


class Issuer:
    def __init__(self, folder: Path) -> None:
        self.port, self._people = ports.find_port(), folder / "people.json"
        self.tell(**PEOPLE)

    def start(self, portal: str) -> None:
        arguments = ["node", "tests/e2e/issuer.mjs", str(self.port), portal, str(self._people)]
        self._process = subprocess.Popen(
            arguments, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        while (line := self._process.stdout.readline()) != "listening\n":
            assert line, self._process.communicate()

    def tell(self, **claims: dict[str, Any]) -> None:
        """What it says of people from now on."""
        self._people.write_text(json.dumps(claims))

    def end(self) -> None:
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="module")
def issuer(tmp_path_factory) -> Iterator[Issuer]:
    made = Issuer(tmp_path_factory.mktemp("issuer"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def portal(tmp_path_factory, issuer) -> Iterator[Portal]:
    """One that knows the provider as two: one that vouches for addresses, one whose groups are roles."""
    address = f"http://127.0.0.1:{issuer.port}"
    variables = {"PORTAL_OIDC": "acme,corp", "PORTAL_OIDC_ACME_DOMAINS": "example.com", "PORTAL_OIDC_CORP_SIGN_UP": "1"}
    variables["PORTAL_OIDC_CORP_GROUPS"] = "operators=team-lead,members=staff"
    for name in ("acme", "corp"):
        known = {"ISSUER": address, "CLIENT_ID": name, "CLIENT_SECRET": f"the secret of {name}"}
        variables |= {f"PORTAL_OIDC_{name.upper()}_{part}": value for part, value in known.items()}
    running = Portal(tmp_path_factory.mktemp("portal")).start(**variables)
    issuer.start(running.address)
    yield running
    running.end()


@pytest.fixture
def page(browser, portal) -> Iterator[Page]:
    """A page of a new browser profile, which fails the test on what a page of the portal says on the console."""
    page = browser.new_page()
    complaints: list[str] = []

    def read_console(message: ConsoleMessage) -> None:
        if message.location["url"].startswith(portal.address) and " 403 " not in message.text:
            complaints.append(message.text)

    page.on("console", read_console)
    yield page
    page.context.close()
    assert complaints == []


@pytest.fixture(scope="module", autouse=True)
def _invited(portal, browser) -> None:
    """clara, who chooses no password."""
    page = browser.new_page()
    steps.create_administrator(page, portal.address, portal.setup_link)
    page.goto(f"{portal.address}/people/new/")
    page.fill("[name=username]", "clara")
    page.fill("[name=email]", "Clara@Example.com")
    page.get_by_role("radio", name="Administrator", exact=True).check()
    page.click("main form button[type=submit]")
    page.context.close()


def sign_in_there(page: Page, name: str) -> None:
    page.fill("[name=login]", name)
    page.fill("[name=password]", "any")
    page.get_by_role("button", name="Sign-in").click()


def sign_in(page: Page, address: str, name: str, by: str = "Acme") -> None:
    page.goto(f"{address}/accounts/login/?next=/workspaces/")
    page.get_by_role("button", name=f"Sign in with {by}").click()
    sign_in_there(page, name)
    page.get_by_role("button", name="Continue").click()  # agree to what the portal learns


@pytest.mark.parametrize("has_scripts", [True, False])
def test_signing_in_and_out_with_and_without_javascript(browser, portal, issuer, has_scripts):
    page = browser.new_page(java_script_enabled=has_scripts)
    sign_in(page, portal.address, "clara")
    expect(page).to_have_url(f"{portal.address}/workspaces/")
    page.goto(f"{portal.address}/accounts/")
    expect(page.get_by_text("Signs in with")).to_be_visible()
    page.locator("summary", has_text="clara").first.click()
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url(f"{portal.address}/accounts/login/")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.context.close()


def test_an_address_that_is_not_verified_is_nobody_s(page, portal):
    sign_in(page, portal.address, "mallory")
    expect(page.get_by_role("heading", name="You could not be signed in with Acme")).to_be_visible()
    expect(page.get_by_text("Nobody has added you here with your e-mail address yet.")).to_be_visible()
    page.goto(f"{portal.address}/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_groups_are_roles_until_they_are_withdrawn(browser, portal, issuer):
    page = browser.new_page()
    sign_in(page, portal.address, "olga", "Corp")
    expect(page).to_have_url(f"{portal.address}/workspaces/")
    page.goto(f"{portal.address}/unknown/")
    expect(page.get_by_role("heading", name="Needs review")).to_be_visible()
    issuer.tell(**PEOPLE | {"olga": {"groups": []}})
    other = browser.new_page()
    sign_in(other, portal.address, "olga", "Corp")
    expect(other.get_by_text("You are in none of the groups that may use this portal.")).to_be_visible()
    page.goto(f"{portal.address}/unknown/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    issuer.tell(**PEOPLE)
    page.context.close()
    other.context.close()


def test_what_needs_a_proof_asks_there(page, portal):
    """A proof of ten minutes ago is as if there had been none."""
    sign_in(page, portal.address, "clara")
    expect(page).to_have_url(f"{portal.address}/workspaces/")
    page.goto(f"{portal.address}/accounts/confirm/?next=/people/new/")
    page.get_by_role("button", name="Sign in with Acme").click()
    sign_in_there(page, "clara")
    expect(page).to_have_url(f"{portal.address}/people/new/")


def test_somebody_else_s_sign_in_there_is_no_proof(page, portal):
    sign_in(page, portal.address, "clara")
    page.goto(f"{portal.address}/accounts/confirm/?next=/people/new/")
    page.get_by_role("button", name="Sign in with Acme").click()
    sign_in_there(page, "mallory")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Somebody else signed in there")).to_be_visible()
