"""From the set-up link to a workstation with its files, and to a 402 with its panel."""

import re

from playwright.sync_api import expect

from tests.e2e.steps import await_status, release, request, sign_in, visit_neighbour


def test_the_page_of_a_request_is_known_to_follow_the_form(signed_in, portal):
    """Web processes let it wait with forms."""
    with signed_in.expect_request(re.compile(r"/requests/[0-9]+/$")) as asked:
        request(signed_in, portal.address)
    assert asked.value.all_headers()["referer"] == f"{portal.address}/requests/new/"


def test_no_other_port_of_the_machine_gets_the_session(signed_in, portal, neighbour):
    visit_neighbour(signed_in, printed=portal.printed, address=portal.address, neighbour=neighbour)


def test_a_workstation_comes_up_shows_its_files_and_is_given_back(signed_in, portal):
    page = signed_in
    request(page, portal.address)
    await_status(page, "succeeded")
    expect(page.locator("#live")).not_to_have_attribute("data-hx-trigger", "poll")

    page.click("text=View workstation")
    expect(page.locator("table").get_by_role("link").first).to_be_visible(timeout=20_000)
    with page.expect_download() as download:
        page.locator("table").get_by_role("link").first.click()
    assert download.value.path().stat().st_size > 0

    release(page)
    expect(page.locator("main")).to_contain_text("Ended", timeout=15_000)


def test_a_tile_that_is_pressed_again_after_back_requests_another(signed_in, portal):
    page, made = signed_in, set[str]()
    request(page, portal.address)
    await_status(page, "succeeded")
    page.goto(portal.address)
    for _ in range(2):
        page.locator(".tile").first.click()
        page.wait_for_url(re.compile(r"/requests/[0-9]+/$"))
        made.add(page.url)
        page.go_back()
        page.wait_for_url(f"{portal.address}/")
    assert len(made) == 2


def test_everything_works_without_javascript(browser, portal, people):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, portal.address)
    request(page, portal.address, type="golang")
    for _ in range(100):
        if page.locator("#live").get_attribute("data-request-status") == "succeeded":
            break
        page.reload()
    page.get_by_text("View workstation").click()
    page.wait_for_url("**/workstations/*/")
    page.goto(f"{page.url}terminal/")
    expect(page.locator("noscript > p")).to_be_visible()
    expect(page.get_by_text("Connecting…")).to_be_hidden()
    page.goto(portal.address)
    page.locator(".account > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
    context.close()
