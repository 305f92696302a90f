"""What differs in Firefox: a first day by keyboard alone, forms, downloads and layout."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e import checks, firefox
from tests.e2e.conftest import QUICK, Portal, collect_complaints
from tests.e2e.pages import PAGES
from tests.e2e.staged import Staged
from tests.e2e.steps import PASSWORD, await_status, request, sign_in, visit_neighbour

# One of each kind: forms, what is live, lists, all that unfolds, the admin.
LOOKED_AT = (
    "login",
    "home-account",
    "request-new-refused",
    "request-sending",
    "history",
    "workstation-strange",
    "unknown-decide",
    "admin-portal_request_changelist",
)


@pytest.fixture(scope="module")
def browser(playwright, tmp_path_factory) -> Iterator[Browser]:
    """Firefox, for all fixtures that open pages."""
    running = firefox.launch(playwright, tmp_path_factory.mktemp("firefox"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def portal(tmp_path_factory) -> Iterator[Portal]:
    """One of its own, for its first administrator is made here."""
    running = Portal(tmp_path_factory.mktemp("portal")).start(**QUICK)
    yield running
    running.end()


@pytest.fixture(scope="module")
def administrator(portal, browser) -> None:
    """Made by keyboard through the link that `make run` printed."""
    page = browser.new_page()
    page.goto(portal.setup_link)
    reach(page, page.locator("[name=username]"))
    page.keyboard.type("ada")
    for name in ("password", "password_again"):
        reach(page, page.locator(f"[name={name}]"))
        page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{portal.address}/")
    page.context.close()


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
    page.keyboard.type("ada")
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
    press(page, page.get_by_role("button", name="Request workstation"))
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


def test_a_first_day_by_keyboard_alone(page, portal, administrator):
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


def test_an_audit_bundle_is_downloaded(page, portal, administrator):
    sign_in(page, portal.address)
    request(page, portal.address)
    await_status(page, "succeeded")  # until then a poll may be under way, which the download would cut short
    with page.expect_download() as download:
        page.get_by_role("button", name="Download audit bundle").click()
    assert re.fullmatch(r"R-\d+-evidence\.json", download.value.suggested_filename)
    assert json.loads(download.value.path().read_bytes())


def test_what_is_refused_has_the_focus(page, portal, administrator):
    sign_in(page, portal.address)
    page.goto(f"{portal.address}/requests/new/")
    press(page, page.get_by_role("button", name="Request workstation"))
    expect(page.locator(".summary")).to_be_focused()
    press(page, page.locator(".summary a").first)
    expect(page.locator("[name=type]").first).to_be_focused()


def test_the_page_of_a_request_is_known_to_follow_the_form(page, portal, administrator):
    sign_in(page, portal.address)
    with page.expect_request(re.compile(r"/requests/[0-9]+/$")) as asked:
        request(page, portal.address)
    assert asked.value.all_headers()["referer"] == f"{portal.address}/requests/new/"


def test_no_other_port_of_the_machine_gets_the_session(page, portal, administrator, neighbour):
    sign_in(page, portal.address)
    visit_neighbour(page, printed=portal.printed, address=portal.address, neighbour=neighbour)


def test_escape_gives_the_focus_back(page, portal, administrator):
    sign_in(page, portal.address)
    menu = page.locator(".account")
    press(page, menu.locator("summary"))
    expect(menu).to_have_attribute("open", "")
    reach(page, page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()


def test_typed_text_focus_and_the_caret_survive_news(page, portal, administrator):
    sign_in(page, portal.address)
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


@pytest.fixture(scope="module")
def staged(tmp_path_factory) -> Iterator[Staged]:
    running = Staged(tmp_path_factory.mktemp("staged")).start()
    yield running
    running.end()


@pytest.mark.parametrize("name", LOOKED_AT)
def test_page(browser, staged, name):
    looked_at = next(page for page in [*PAGES, *staged.list_admin_pages()] if page.name == name)
    address = staged.find_address(looked_at)
    tab = staged.open_context(browser, looked_at).new_page()
    complaints = collect_complaints(tab)
    tab.goto(address)
    if looked_at.act:
        looked_at.act(tab)
    tab.evaluate(checks.SCRIPT)
    for width in (checks.PHONE, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        # Of the admin, which is Django's, only that it fits.
        fits = "document.documentElement.scrollWidth > innerWidth ? ['too wide'] : []"
        complaints += [
            f"{text} at {width} px" for text in tab.evaluate(fits if "/admin/" in address else "checks.fit()")
        ]
    tab.context.close()
    assert not complaints, "\n".join(complaints)


def test_a_fault_of_a_page_would_be_heard_of(browser, staged):
    tab = browser.new_page()
    complaints = collect_complaints(tab)
    tab.goto(staged.address)
    for fault, words in [
        ("document.body.insertAdjacentHTML('beforeend', '<p style=color:red>')", "blocked an inline style"),
        ("() => { setTimeout(() => noSuchName()); }", "noSuchName is not defined"),
    ]:
        with tab.expect_event("pageerror"):
            tab.evaluate(fault)
        assert words in complaints.pop()
    tab.evaluate("console.warn('beware')")
    assert complaints == ["beware"]
    tab.context.close()
