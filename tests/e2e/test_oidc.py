"""Sign-in by a certified OpenID Connect provider, in Chromium."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.e2e import steps
from tests.e2e.conftest import ROOT, Portal

PEOPLE: dict[str, dict[str, Any]] = {
    "clara": {"email": "clara@example.com", "email_verified": True},
    "mallory": {"email": "clara@example.com", "email_verified": False},
    "lea": {"preferred_username": "lea", "name": "Lea Berg", "groups": ["team-lead"]},
}


class Issuer:
    """What the portal knows as two."""

    def __init__(self, folder: Path) -> None:
        self._people = folder / "people.json"
        self.tell(**PEOPLE)

    def start(self, portal: Portal) -> None:
        addresses = [str(portal.issuer_port), portal.address, portal.printed]
        arguments = ["node", "tests/e2e/issuer.mjs", *addresses, str(self._people)]
        self._process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout
        while (line := self._process.stdout.readline()) != "listening\n":
            assert line, self._process.communicate()

    def tell(self, **claims: dict[str, Any]) -> None:
        """What it says of people from now on."""
        self._people.write_text(json.dumps(claims))

    def end(self) -> None:
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="module", autouse=True)
def issuer(portal, tmp_path_factory) -> Iterator[Issuer]:
    made = Issuer(tmp_path_factory.mktemp("issuer"))
    made.start(portal)
    yield made
    made.end()


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
def _invited(portal, chromium, people) -> None:
    """clara, who chooses no password."""
    context = chromium.new_context(storage_state=people["ada"])
    page = context.new_page()
    steps.open_proved(page, f"{portal.address}/people/new/")
    page.fill("[name=username]", "clara")
    page.fill("[name=email]", "Clara@Example.com")
    page.get_by_role("radio", name="Administrator", exact=True).check()
    page.click("main form button[type=submit]")
    context.close()


def sign_in_there(page: Page, name: str) -> None:
    page.fill("[name=login]", name)
    page.fill("[name=password]", "any")
    page.get_by_role("button", name="Sign-in").click()


def sign_in(page: Page, address: str, name: str, by: str = "Acme") -> None:
    page.goto(f"{address}/accounts/login/?next=/workspaces/")
    page.get_by_role("button", name=f"Sign in with {by}").click()
    sign_in_there(page, name)
    page.get_by_role("button", name="Continue").click()  # agree to what the portal learns


def test_signing_in_and_out_without_javascript(browser, portal):
    page = browser.new_page(java_script_enabled=False)
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


def test_what_needs_a_proof_asks_there(page, portal):
    """A proof of ten minutes ago is as if there had been none."""
    sign_in(page, portal.address, "clara")
    expect(page).to_have_url(f"{portal.address}/workspaces/")
    page.goto(f"{portal.address}/accounts/confirm/?next=/people/new/")
    page.get_by_role("button", name="Sign in with Acme").click()
    sign_in_there(page, "clara")
    expect(page).to_have_url(f"{portal.address}/people/new/")
