"""From the set-up link to a workstation with its files, and to a 402 with its panel."""

import re

import pytest
from playwright.sync_api import Page, expect

PASSWORD = "correct horse battery staple"


def sign_in(page: Page, address: str, username: str = "ada") -> None:
    page.goto(f"{address}/accounts/login/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{address}/")


@pytest.fixture(scope="module")
def administrator(portal, browser):
    """Made through the link that `make run` printed."""
    page = browser.new_page()
    page.goto(portal.setup_link)
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", "something else entirely")
    page.click("main button[type=submit]")
    expect(page.get_by_text("The two passwords differ.").first).to_be_visible()
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_again]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{portal.address}/")
    assert page.goto(portal.setup_link).status == 404
    page.close()


@pytest.fixture
def signed_in(page, portal, administrator) -> Page:
    page.goto(f"{portal.address}/accounts/login/")
    sign_in(page, portal.address)
    return page


def request(page: Page, address: str, *, type: str = "python", workspace: str = "") -> None:
    page.goto(f"{address}/requests/new/")
    page.check(f"[name=type][value={type}]")
    if workspace:
        page.check('[name=place][value="+other"]')
        page.fill("[name=workspace_id]", workspace)
    page.click("main form button[type=submit]")


def test_the_page_of_a_request_is_known_to_follow_the_form(signed_in, portal):
    """Web processes let it wait with forms."""
    with signed_in.expect_request(re.compile(r"/requests/[0-9]+/$")) as asked:
        request(signed_in, portal.address)
    assert asked.value.all_headers()["referer"] == f"{portal.address}/requests/new/"


def test_a_workstation_comes_up_shows_its_files_and_is_given_back(signed_in, portal):
    page = signed_in
    page.goto(f"{portal.address}/requests/new/")
    request(page, portal.address)
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded", timeout=15_000)
    expect(page.locator("#live")).not_to_have_attribute("data-hx-trigger", "poll")

    page.click("text=View workstation")
    expect(page.locator("table").get_by_role("link").first).to_be_visible(timeout=20_000)
    with page.expect_download() as download:
        page.locator("table").get_by_role("link").first.click()
    assert download.value.path().stat().st_size > 0

    page.locator("summary", has_text="Release").click()
    page.get_by_role("button", name="Release").click()
    expect(page.locator("main")).to_contain_text("Ended", timeout=15_000)


def test_a_402_is_explained_and_stops_the_queue_until_it_is_resumed(signed_in, portal):
    page = signed_in
    request(page, portal.address, workspace="fail-402")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-request-status", "failed", timeout=15_000)
    expect(live).to_have_attribute("data-failure", "402")
    expect(live).to_contain_text("Payment required")

    request(page, portal.address)
    expect(live).to_have_attribute("data-request-status", "queued")
    expect(live).to_contain_text("Paused for the whole team")
    waiting = page.url

    page.goto(f"{portal.address}/key/")
    page.get_by_role("button", name="Resume").click()
    page.goto(waiting)
    expect(live).to_have_attribute("data-request-status", "succeeded", timeout=15_000)


def test_an_unknown_outcome_is_said_plainly_and_closed_with_a_reason(signed_in, portal):
    page = signed_in
    request(page, portal.address, workspace="reset")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-request-status", "unknown", timeout=15_000)
    expect(live).to_have_attribute("data-failure", "no-answer")
    page.fill("[name=reason]", "The provider's list does not show it.")
    page.get_by_role("button", name="Close").click()
    expect(live).to_have_attribute("data-request-status", "failed")
    expect(page.locator("main")).to_contain_text("The provider's list does not show it.")


def test_everything_works_without_javascript(browser, portal, administrator):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, portal.address)
    request(page, portal.address, type="golang")
    for _ in range(100):
        if page.locator("#live").get_attribute("data-request-status") == "succeeded":
            break
        page.reload()
    expect(page.get_by_text("View workstation")).to_be_visible()
    page.locator(".account > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
    context.close()
