"""What differs in Firefox: a first day by keyboard alone, forms and downloads."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tests.e2e.conftest import Portal
from tests.e2e.steps import PASSWORD, add_person, await_status, request


@pytest.fixture
def browser(firefox) -> Browser:
    return firefox


@pytest.fixture(scope="module")
def link(portal, chromium, people) -> str:
    """For fay, who operates."""
    with closing(chromium.new_context(storage_state=people["ada"])) as context:
        return add_person(context.new_page(), portal.address, "fay", "Operator")


@pytest.fixture(scope="module")
def fay(portal, firefox, link) -> StorageState:
    """Her browser, in which she has chosen a password by keyboard."""
    with closing(firefox.new_context()) as context:
        page = context.new_page()
        page.goto(link)
        for name in ("password", "password_again"):
            reach(page, page.locator(f"[name={name}]"))
            page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{portal.address}/")
        return context.storage_state()


@pytest.fixture
def signed_in(open_as, page, fay) -> Page:
    open_as("ada")  # requests are sent
    page.context.add_cookies(fay["cookies"])
    return page


# Whether Tab leads to it, or Shift+Tab, or nothing more has to be pressed.
WHERE = """wanted => {
    const from = document.activeElement;
    if (from === wanted) return "";
    const isBefore = from.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_PRECEDING;
    return (isBefore ? "Shift+Tab" : "Tab") + (from === document.body ? " from nowhere" : "");
}"""


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus; never past the page's ends, where only a person finds the way back."""
    for number in range(60):
        key, _, lost = wanted.evaluate(WHERE).partition(" ")
        if not key:
            return
        assert number == 0 or not lost, "the focus is lost"
        page.keyboard.press(key)
    raise AssertionError(f"Tab does not reach {wanted}")


def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    reach(page, wanted)
    page.keyboard.press(key)


def sign_in_by_keyboard(page: Page, portal: Portal) -> None:
    page.goto(f"{portal.address}/accounts/login/")
    reach(page, page.locator("[name=username]"))
    page.keyboard.type("fay")
    reach(page, page.locator("[name=password]"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{portal.address}/")


def sign_out_by_keyboard(page: Page, portal: Portal) -> None:
    press(page, page.locator(".account > summary"))
    press(page, page.get_by_role("button", name="Sign out"), "Space")
    page.wait_for_url(f"{portal.address}/accounts/login/")


def request_by_keyboard(page: Page, type: str, workspace: str) -> None:
    """From any page to that of a new request."""
    press(page, page.get_by_role("link", name="New workstation"))
    page.wait_for_url("**/requests/new/")
    choose(page, "type", type)
    choose(page, "place", "+other")
    reach(page, page.locator("[name=workspace_id]"))
    page.keyboard.type(workspace)
    button = page.get_by_role("button", name="Request workstation")
    reach(page, button)
    with page.expect_request(re.compile(r"/requests/[0-9]+/$")) as asked:
        page.keyboard.press("Enter")
    assert asked.value.all_headers()["referer"].endswith("/requests/new/")  # so that it waits with forms
    page.wait_for_url(re.compile(r"/requests/\d+/$"))


def choose(page: Page, name: str, value: str) -> None:
    """A radio button: Tab reaches its group, Space takes the first one, and the arrow keys the others."""
    group = page.locator(f"[name={name}]")
    wanted = page.locator(f'[name={name}][value="{value}"]')
    reach(page, group.first)
    page.keyboard.press("Space")
    for _ in range(group.count()):
        if wanted.is_checked():
            break
        page.keyboard.press("ArrowDown")
    assert wanted.is_checked()
    assert wanted.evaluate("element => element === document.activeElement")


def test_a_first_day_by_keyboard_alone(signed_in, portal):
    page = signed_in
    page.context.clear_cookies()
    sign_in_by_keyboard(page, portal)
    request_by_keyboard(page, "python", "slow-2")
    stays = page.get_by_role("button", name="Download audit bundle")
    reach(page, stays)
    await_status(page, "succeeded")
    expect(stays).to_be_focused()  # which a page that was loaded anew would not have

    press(page, page.get_by_role("link", name="View workstation"))
    expect(page).to_have_title(re.compile("^Running: Python, workstation "), timeout=20_000)
    question = page.locator("#release > summary")
    press(page, question)
    expect(page.locator("#release")).to_have_attribute("open", "")
    expect(question).to_be_focused()
    press(page, page.get_by_role("button", name="Cancel"))
    expect(page.locator("#release")).not_to_have_attribute("open", "")
    expect(question).to_be_focused()
    press(page, question)
    press(page, page.get_by_role("button", name="Release"))
    expect(page).to_have_title(re.compile("^Ended: "), timeout=30_000)

    sign_out_by_keyboard(page, portal)


def test_typed_text_focus_and_the_caret_survive_news(signed_in, portal):
    page = signed_in
    request(page, portal.address, workspace="reset")
    await_status(page, "unknown")
    reason = page.locator("[name=reason]")
    press(page, page.locator("summary", has_text="Close it as failed"))
    reach(page, reason)
    page.keyboard.type("The list does not show it.")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Cancel request").click()
    page.bring_to_front()

    expect(page.locator("#live")).to_contain_text("Cancellation requested", timeout=30_000)
    expect(reason).to_be_focused()
    page.keyboard.type("yet ")
    expect(reason).to_have_value("The list does notyet  show it.")
