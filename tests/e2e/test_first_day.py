"""From the set-up link to a workstation with its files, and to a 402 with its panel."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

PASSWORD = "correct horse battery staple"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]


def check(page: Page) -> None:
    """axe finds nothing, in light and in dark, and nothing is wider than a small phone."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
        assert results.violations_count == 0, results.generate_report()
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 640})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(size)
    assert width <= 320, f"{page.url} is {width} px wide on a phone of 320"


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{address}/")


@pytest.fixture(scope="module")
def administrator(portal, browser):
    """Made through the link that `make run` printed."""
    page = browser.new_page()
    page.goto(portal.setup_link)
    check(page)
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", "something else entirely")
    page.click("main button[type=submit]")
    expect(page.get_by_text("The two passwords differ.").first).to_be_visible()
    check(page)
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{portal.address}/")
    check(page)
    assert page.goto(portal.setup_link).status == 404
    page.close()


@pytest.fixture
def signed_in(page, portal, administrator) -> Page:
    page.goto(f"{portal.address}/accounts/login/")
    check(page)
    sign_in(page, portal.address)
    return page


def request(page: Page, address: str, *, type: str = "python", workspace: str = "") -> None:
    page.goto(f"{address}/requests/new/")
    page.check(f"[name=type][value={type}]")
    page.fill("[name=workspace_id]", workspace)
    page.click("main form button[type=submit]")


def test_a_workstation_comes_up_shows_its_files_and_is_given_back(signed_in, portal):
    page = signed_in
    page.goto(f"{portal.address}/requests/new/")
    check(page)
    request(page, portal.address)
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded", timeout=15_000)
    expect(page.locator("#live")).not_to_have_attribute("data-hx-trigger", "poll")
    check(page)

    page.click("text=Open workstation")
    expect(page.locator("table").get_by_role("link").first).to_be_visible(timeout=20_000)
    check(page)
    with page.expect_download() as download:
        page.locator("table").get_by_role("link").first.click()
    assert download.value.path().stat().st_size > 0

    page.locator("summary", has_text="Give back").click()
    page.get_by_role("button", name="Give it back").click()
    expect(page.locator("main")).to_contain_text("Ended", timeout=15_000)
    check(page)


def test_a_402_is_explained_and_stops_the_queue_until_it_is_resumed(signed_in, portal):
    page = signed_in
    request(page, portal.address, workspace="fail-402")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-request-status", "failed", timeout=15_000)
    expect(live).to_have_attribute("data-failure", "402")
    expect(live).to_contain_text("The provider wants payment")
    check(page)

    request(page, portal.address)
    expect(live).to_have_attribute("data-request-status", "queued")
    expect(live).to_contain_text("stands still")
    check(page)
    waiting = page.url

    page.goto(f"{portal.address}/key/")
    check(page)
    page.get_by_role("button", name="Resume").click()
    page.goto(waiting)
    expect(live).to_have_attribute("data-request-status", "succeeded", timeout=15_000)


def test_an_unknown_outcome_is_said_plainly_and_closed_with_a_reason(signed_in, portal):
    page = signed_in
    request(page, portal.address, workspace="reset")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-request-status", "unknown", timeout=15_000)
    expect(live).to_have_attribute("data-failure", "no-answer")
    check(page)
    page.fill("[name=reason]", "The provider's list does not show it.")
    page.get_by_role("button", name="Close").click()
    expect(live).to_have_attribute("data-request-status", "failed")
    expect(page.locator("main")).to_contain_text("The provider's list does not show it.")
    check(page)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/requests/",
        "/requests/?status=FAILED&type=python&since=2020-01-01",
        "/requests/?status=nonsense",
        "/workstations/",
        "/workspaces/",
        "/failures/",
        "/failures/500/",
        "/key/",
        "/unknown/",
        "/accounts/password/",
        "/nowhere/",
    ],
)
def test_axe_finds_nothing(browser, portal, administrator, path):
    page = browser.new_page()
    sign_in(page, portal.address)
    page.goto(f"{portal.address}{path}")
    check(page)
    page.context.close()


def test_everything_works_without_javascript(browser, portal, administrator):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, portal.address)
    request(page, portal.address, type="golang")
    for _ in range(100):
        if page.locator("#live").get_attribute("data-request-status") == "succeeded":
            break
        page.reload()
    expect(page.get_by_text("Open workstation")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
    context.close()
