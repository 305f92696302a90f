"""An auditor who looks and cannot act, an operator who decides, and each failure as the sandbox rehearses it."""

import json
import re
import urllib.request

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Portal
from tests.e2e.steps import add_person, await_status, join, request, sign_in

NAMES = {
    "fail-400": "400",
    "fail-422": "422",
    "fail-418": "other",
    "fail-503": "503",
    "fail-500": "500",
    "fail-502": "no-answer",
    "truncate": "no-answer",
    "garbage": "unreadable",
    "fail-401": "401",
}


def make_orphan(portal: Portal) -> str:
    """Somebody asks the provider outside the portal."""
    asked = urllib.request.Request(
        f"{portal.sandbox}/v1/workstations",
        data=json.dumps({"type": "golang"}).encode(),
        headers={"Authorization": "Bearer sandbox", "Content-Type": "application/json"},
    )
    return json.load(urllib.request.urlopen(asked))["id"]


def wait_for(page: Page, address: str, words: str) -> None:
    """Load the page anew until it has the words."""
    for _ in range(200):
        page.goto(address)
        if page.locator("main").get_by_text(words).count():
            return
    raise AssertionError(f"{words!r} does not come on {address}")


@pytest.mark.parametrize(("name", "code"), NAMES.items())
def test_each_failure_of_the_sandbox_has_its_panel(open_as, portal, name, code):
    page = open_as("olga")
    request(page, portal.address, workspace=name)
    live = page.locator("#live")
    expect(live).to_have_attribute("data-failure", code, timeout=30_000)
    expect(live.locator(".failure")).to_contain_text(
        re.compile("Who can fix this|No action needed|You don't need to do anything")
    )
    if (
        live.get_attribute("data-request-status") == "unknown"
    ):  # else it would be sent again, among other tests' requests
        page.get_by_role("button", name="Cancel request").click()
        expect(live).to_contain_text("Cancellation requested")
    page.get_by_role("link", name="More about this failure").click()
    page.wait_for_url(f"{portal.address}/failures/{code}/")


def test_a_429_says_that_the_portal_tries_again_by_itself(open_as, portal):
    page = open_as("olga")
    request(page, portal.address, workspace="fail-429-retry-3")
    expect(page.locator("#live")).to_contain_text("Rate limit reached", timeout=30_000)
    page.get_by_role("button", name="Cancel this request").click()
    await_status(page, "cancelled")


def test_an_operator_decides_by_hand(open_as, portal):
    """An orphan is adopted for an unknown request, another given back; a request is said not to have made anything."""
    page = open_as("olga")
    unknown = f"{portal.address}/unknown/"
    adopted, released = make_orphan(portal), make_orphan(portal)
    wait_for(page, unknown, released)
    request(page, portal.address, type="golang", workspace="reset")
    label = f"R-{page.url.rstrip('/').split('/')[-1]}"
    mine = page.url
    await_status(page, "unknown")
    doubtful = make_orphan(portal)  # which the request may have made, as far as the lists tell
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
        expect(page.locator(".messages")).to_contain_text("is being released")
    wait_for(page, unknown, "None. Every running workstation belongs to a request.")


def open_row(page: Page, address: str, name: str) -> Locator:
    """What is asked about a request or a workstation, unfolded."""
    page.goto(address)
    row = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=re.compile(f"^{name} ")))
    row.locator("summary").click()
    return row


def test_somebody_is_added_and_chooses_a_password_without_javascript(browser, portal, people):
    contexts = [browser.new_context(java_script_enabled=False) for _ in range(2)]
    admin, page = (context.new_page() for context in contexts)
    sign_in(admin, portal.address)
    link = add_person(admin, portal.address, "nora", "Member")
    expect(admin.get_by_role("button", name="Copy")).to_have_count(0)
    join(page, portal.address, link)
    assert page.goto(link).status == 404
    expect(page.locator("main")).to_contain_text("ask an administrator")

    admin.goto(f"{portal.address}/people/")
    admin.get_by_role("link", name="nora").click()
    admin.get_by_role("button", name="Deactivate").click()
    expect(admin.locator(".messages")).to_contain_text("signed out everywhere")
    page.goto(portal.address)
    page.wait_for_url("**/accounts/login/**")
    for context in contexts:
        context.close()


def test_the_link_is_copied(page, portal, people):
    sign_in(page, portal.address)
    page.context.grant_permissions(["clipboard-write"])
    add_person(page, portal.address, "otto", "Member")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("main [role=status]")).to_have_text("Copied.")


def test_an_auditor_sees_everything_and_can_do_nothing(open_as, portal):
    request(open_as("olga"), portal.address)
    page = open_as("anna")
    page.goto(portal.address)
    expect(page.get_by_role("link", name="Request a workstation")).to_have_count(0)
    page.goto(f"{portal.address}/requests/?person=olga")
    page.locator("main table").get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("olga")
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    page.goto(f"{portal.address}/unknown/")
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    page.goto(f"{portal.address}/key/")
    expect(page.locator("main").get_by_role("button")).to_have_count(0)

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Audit log").click()
    page.locator("#content-start").get_by_role("link", name="Requests", exact=True).click()
    page.locator("#result_list").get_by_role("link").first.click()
    expect(page.locator("#content-start")).to_contain_text("Requester")
    expect(page.locator("[name=_save]")).to_have_count(0)


def test_who_asks_for_what_others_may_do_is_refused(open_as, portal):
    cookies = {cookie["name"]: cookie["value"] for cookie in open_as("anna").context.cookies()}
    for path in ("/requests/new/", "/people/new/"):
        assert requests.get(portal.printed + path, cookies=cookies, timeout=10).status_code == 403
