"""The portal in Firefox: a first day by keyboard alone, every page, and without JavaScript."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e import checks, firefox
from tests.e2e.conftest import Portal, collect_complaints
from tests.e2e.pages import PAGES
from tests.e2e.staged import Staged
from tests.e2e.test_first_day import PASSWORD, request, sign_in


@pytest.fixture(scope="module")
def browser(playwright, tmp_path_factory) -> Iterator[Browser]:
    """Firefox, for all fixtures that open pages."""
    running = firefox.launch(playwright, tmp_path_factory.mktemp("firefox"))
    yield running
    running.close()


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
    return isBefore ? "Shift+Tab" : "Tab";
}"""


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus; never past the page's ends, where only a person finds the way back."""
    for _ in range(60):
        key = wanted.evaluate(WHERE)
        if not key:
            return
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement !== document.body"), "the focus is lost"
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
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded", timeout=30_000)
    expect(stays).to_be_focused()  # which a page that was loaded anew would not have

    press(page, page.get_by_role("link", name="View workstation"))
    expect(page).to_have_title(re.compile("^Active: Python, workstation "), timeout=20_000)
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
    expect(page.locator("#live")).to_have_attribute("data-request-status", "unknown", timeout=20_000)
    reason = page.locator("[name=reason]")
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


def test_everything_works_without_javascript(playwright, portal, administrator, tmp_path):
    """What is read at once works all the same; what waits inside the page, as `expect` does, would wait for ever."""
    browser = firefox.launch(playwright, tmp_path, **{"javascript.enabled": False})
    page = browser.new_page()
    sign_in_by_keyboard(page, portal)
    request_by_keyboard(page, "golang", "slow-1")
    assert page.locator("noscript").first.is_visible()
    live = page.locator("#live")
    for _ in range(100):
        if live.get_attribute("data-request-status") == "succeeded":
            break
        page.reload()
    press(page, page.get_by_role("link", name="View workstation"))
    page.wait_for_url("**/workstations/*/")
    assert page.title().startswith("Active: Go, workstation ")
    sign_out_by_keyboard(page, portal)
    browser.close()


@pytest.fixture(scope="module")
def staged(tmp_path_factory) -> Iterator[Staged]:
    running = Staged(tmp_path_factory.mktemp("staged")).start()
    yield running
    running.end()


@pytest.fixture(scope="module")
def open_tab(browser, staged) -> Iterator[Callable[[str], tuple[Page, list[str]]]]:
    """A tab that all pages of one person share, and its complaints; one that comes too late fails the next page."""
    opened: dict[str, tuple[Page, list[str]]] = {}

    def open_it(person: str) -> tuple[Page, list[str]]:
        if person not in opened:
            tab = staged.open_context(browser, replace(PAGES[0], person=person)).new_page()
            opened[person] = tab, collect_complaints(tab)
        return opened[person]

    yield open_it
    assert [text for _, complaints in opened.values() for text in complaints] == []


@pytest.mark.parametrize("looked_at", PAGES, ids=lambda page: page.name)
def test_page(open_tab, staged, looked_at):
    tab, complaints = open_tab(looked_at.person)
    response = tab.goto(staged.find_address(looked_at))
    assert response
    assert response.status == looked_at.status
    if looked_at.act:
        looked_at.act(tab)
    tab.evaluate(checks.SCRIPT)
    for width in (checks.PHONE, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        complaints += [f"{text} at {width} px" for text in tab.evaluate("checks.fit()")]
    found = "\n".join(complaints)
    complaints.clear()
    leave(tab, complaints)
    assert not found, found


def leave(tab: Page, complaints: list[str]) -> None:
    """Firefox calls it a network error where a page is left that waits for an answer, as those that poll often do."""
    tab.goto("about:blank")
    complaints[:] = [text for text in complaints if "NetworkError when attempting to fetch" not in text]


def test_leaving_a_page_that_waits_for_an_answer_is_no_fault(open_tab, staged):
    tab, complaints = open_tab("mira")
    tab.goto(staged.address)
    tab.route("**/unanswered", lambda route: None)
    with tab.expect_request("**/unanswered"):
        tab.evaluate("() => { fetch('/unanswered').catch(error => console.error(String(error))); }")
    leave(tab, complaints)
    assert complaints == []


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
