"""An auditor who looks and cannot act, an operator who decides, and each failure as the sandbox rehearses it."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Portal
from tests.e2e.test_first_day import PASSWORD, request, sign_in

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


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """One that looks into the provider's lists every second, so that an orphan shows soon."""
    running = Portal(tmp_path_factory.mktemp("portal")).start(PORTAL_SCAN_INTERVAL="1", PORTAL_JOB_INTERVAL="0.5")
    yield running
    running.end()


@pytest.fixture(scope="module")
def people(portal, browser):
    """ada administers, and has made anna an auditor and olga an operator; each has chosen a password by a link."""
    page = browser.new_page()
    page.goto(portal.setup_link)
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{portal.address}/")
    for username, role in (("anna", "Auditor"), ("olga", "Operator")):
        link = add(page, portal, username, role)
        other = browser.new_page()
        join(other, portal, link)
        other.context.close()
    page.context.close()


def add(page: Page, portal: Portal, username: str, role: str) -> str:
    """The link for somebody whom an administrator adds."""
    page.goto(f"{portal.address}/people/new/")
    page.fill("[name=username]", username)
    page.get_by_role("radio", name=role, exact=True).check()
    page.click("main form button[type=submit]")
    return page.locator("#sign-in-link").inner_text()


def join(page: Page, portal: Portal, link: str) -> None:
    page.goto(link)
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{portal.address}/")


def open_as(page: Page, portal: Portal, username: str) -> Page:
    sign_in(page, portal.address, username)
    return page


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


def resume(page: Page, portal: Portal) -> None:
    """As an operator, where the key is paused."""
    page.goto(f"{portal.address}/key/")
    button = page.get_by_role("button", name="Resume sending")
    if button.count():
        button.click()
        expect(page.locator(".messages")).to_contain_text("You have resumed sending")


def open_key(page: Page, portal: Portal) -> None:
    """Resume it and let one request succeed: only then does a failure count as it does on an ordinary day."""
    resume(page, portal)
    if page.get_by_role("heading", name="Requests are being sent", exact=True).count() == 0:
        request(page, portal.address)
        expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded", timeout=30_000)


@pytest.mark.parametrize(("name", "code"), NAMES.items())
def test_each_failure_of_the_sandbox_has_its_panel(page, portal, people, name, code):
    open_as(page, portal, "olga")
    open_key(page, portal)
    request(page, portal.address, workspace=name)
    live = page.locator("#live")
    expect(live).to_have_attribute("data-failure", code, timeout=30_000)
    expect(live.locator(".failure")).to_contain_text(re.compile("Who can fix this|No action needed"))
    page.get_by_role("link", name="More about this failure").click()
    page.wait_for_url(f"{portal.address}/failures/{code}/")


def test_a_429_says_that_the_portal_tries_again_by_itself(page, portal, people):
    open_as(page, portal, "olga")
    open_key(page, portal)
    request(page, portal.address, workspace="fail-429-retry-3")
    expect(page.locator("#live")).to_contain_text("Rate limit reached", timeout=30_000)
    page.get_by_role("button", name="Cancel this request").click()
    expect(page.locator("#live")).to_have_attribute("data-request-status", "cancelled")


def test_an_operator_resumes_the_key_and_what_waits_goes_out(page, portal, people):
    open_as(page, portal, "olga")
    open_key(page, portal)
    request(page, portal.address, workspace="fail-402")
    expect(page.locator("#live")).to_have_attribute("data-failure", "402", timeout=30_000)
    request(page, portal.address, type="nodejs")
    waiting = page.url
    expect(page.locator("#live")).to_contain_text("Paused for the whole team")
    resume(page, portal)
    page.goto(waiting)
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded", timeout=30_000)


def test_an_operator_decides_by_hand(page, portal, people):
    """An orphan is adopted for an unknown request, another given back; a request is said not to have made anything."""
    open_as(page, portal, "olga")
    open_key(page, portal)
    unknown = f"{portal.address}/unknown/"
    adopted, released = make_orphan(portal), make_orphan(portal)
    wait_for(page, unknown, released)
    request(page, portal.address, type="golang", workspace="reset")
    label = f"R-{page.url.rstrip('/').split('/')[-1]}"
    mine = page.url
    expect(page.locator("#live")).to_have_attribute("data-request-status", "unknown", timeout=30_000)
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
    expect(page.locator("#live")).to_contain_text("A person confirmed: nothing was created")
    expect(page.locator("#live")).to_have_attribute("data-request-status", "unknown", timeout=60_000)

    row = open_row(page, unknown, label)
    row.get_by_label("Link a workstation").check()
    row.get_by_label("Workstation to link").select_option(adopted)
    row.get_by_label("Reason").fill("It is the one.")
    row.get_by_role("button", name="Resolve").click()
    expect(page.locator(".messages")).to_contain_text(f"{label} is resolved")
    page.goto(mine)
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded")

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
    link = add(admin, portal, "nora", "Member")
    expect(admin.get_by_role("button", name="Copy")).to_have_count(0)
    join(page, portal, link)
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
    open_as(page, portal, "ada")
    page.context.grant_permissions(["clipboard-write"])
    add(page, portal, "otto", "Member")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("main [role=status]")).to_have_text("Copied.")


def test_an_auditor_sees_everything_and_can_do_nothing(page, portal, people):
    open_as(page, portal, "anna")
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


def test_who_asks_for_what_others_may_do_is_refused(page, portal, people):
    open_as(page, portal, "anna")
    assert page.request.get(f"{portal.address}/requests/new/").status == 403
    assert page.request.get(f"{portal.address}/admin/portal/user/add/").status == 403
