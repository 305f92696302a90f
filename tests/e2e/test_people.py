"""An auditor who looks and cannot act, an operator who decides, and people who are added."""

import json
import re
import urllib.request

from playwright.sync_api import Locator, Page, expect

from portal.sandbox import names
from tests.e2e.steps import add_person, await_status, request
from tests.provider import server


def make_orphan(provider: server.Sandbox) -> str:
    """Somebody asks the provider outside the portal."""
    asked = urllib.request.Request(
        f"{provider.base_url}/workstations",
        data=json.dumps({"type": "golang"}).encode(),
        headers={"Authorization": f"Bearer {names.DEFAULT_API_KEY}", "Content-Type": "application/json"},
    )
    return json.load(urllib.request.urlopen(asked))["id"]


def wait_for(page: Page, address: str, words: str) -> None:
    """Load the page anew until it has the words."""
    for _ in range(200):
        page.goto(address)
        if page.locator("main").get_by_text(words).count():
            return
    raise AssertionError(f"{words!r} does not come on {address}")


def test_an_operator_decides_by_hand(open_as, portal, provider):
    """An orphan is adopted for an unknown request, another given back; a request is said not to have made anything."""
    page = open_as("olga")
    unknown = f"{portal.address}/unknown/"
    adopted, released = make_orphan(provider), make_orphan(provider)
    wait_for(page, unknown, released)
    request(page, portal.address, type="golang", workspace="reset")
    label = f"R-{page.url.rstrip('/').split('/')[-1]}"
    mine = page.url
    await_status(page, "unknown")
    doubtful = make_orphan(provider)  # which the request may have made, as far as the lists tell
    expect(page.locator("#live")).to_contain_text("Needs your review", timeout=60_000)

    row = open_row(page, unknown, label)
    row.get_by_label("Not created: send again").check()
    row.get_by_label("Reason").fill("Their support looked.")
    row.get_by_role("button", name="Resolve").click()
    expect(page.locator(".summary")).to_be_focused()
    page.get_by_role("link", name="may cost twice").click()
    expect(page.get_by_label("I have checked AgentStation's console")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_label("Reason").locator("visible=true")).to_have_value("Their support looked.")
    page.get_by_role("button", name="Resolve").locator("visible=true").click()
    expect(page.locator(".messages")).to_contain_text(f"{label} is resolved")
    page.goto(mine)
    expect(page.locator("#live")).to_contain_text("chose to send it again")
    await_status(page, "unknown")

    row = open_row(page, unknown, label)
    row.get_by_label("Link a workstation").check()
    row.get_by_label("Workstation to link").select_option(adopted)
    row.get_by_label("Reason").fill("It is the one.")
    row.get_by_role("button", name="Resolve").click()
    expect(page.locator(".messages")).to_contain_text(f"{label} is resolved")
    page.goto(mine)
    await_status(page, "succeeded")

    for uid in (released, doubtful):
        orphan = open_row(page, unknown, uid)
        orphan.get_by_label("Reason").fill("Nobody knows it.")
        orphan.get_by_label("Release").check()
        orphan.get_by_role("button", name="Resolve").click()
        expect(page.locator(".messages")).to_contain_text("Release requested")
    wait_for(page, unknown, "None. What a request under way may have created")


def open_row(page: Page, address: str, name: str) -> Locator:
    """What is asked about a request or a workstation, unfolded."""
    page.goto(address)
    row = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=re.compile(f"^{name} ")))
    row.locator("summary").click()
    return row


def test_the_link_is_copied(signed_in, portal):
    page = signed_in
    page.context.grant_permissions(["clipboard-write"])
    add_person(page, portal.address, "oscar", "Member")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("main [role=status]")).to_have_text("Copied.")
