"""A newcomer's day: a workstation that is kept longer from its desktop, and one that the portal releases."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import SHORT, Portal
from tests.e2e.steps import await_status


def make_one(page: Page, portal: Portal, lifetime: str) -> str:
    page.goto(f"{portal.address}/requests/new/")
    page.check("[name=type][value=max]")
    expect(page.locator("[name=lifetime]:checked")).to_have_value("2h")
    page.check(f"[name=lifetime][value='{lifetime}']")
    page.click("main form button[type=submit]")
    await_status(page, "succeeded")
    page.get_by_role("link", name="View workstation").click()
    page.wait_for_url("**/workstations/*/")
    return page.url


def test_one_that_nobody_keeps_is_announced_and_released(signed_in, portal):
    page = signed_in
    address = make_one(page, portal, SHORT)
    expect(page.locator("#live")).to_contain_text("Ends in")
    expect(page.locator("#live")).to_contain_text("Ended", timeout=60_000)
    page.goto(portal.address)
    expect(page.locator("main")).to_contain_text("The portal released Max")
    expect(page.locator("main")).to_contain_text("The end of its lifetime was reached.")
    page.goto(address)
    expect(page.get_by_text("Keep 2 h longer")).to_have_count(0)


def test_one_press_on_its_desktop_keeps_it(signed_in, portal):
    page = signed_in
    page.clock.install()
    address = make_one(page, portal, SHORT)
    page.goto(f"{address}desktop/")
    expect(page.locator("[data-connection]")).to_have_attribute("data-connection", "connected", timeout=15_000)
    page.get_by_role("button", name="Keep 2 h longer").click()
    expect(page.locator("[data-ends]")).to_have_text("Ends in 1 h 59 min.")
    expect(page.locator("[data-status]")).to_have_text("Ends in 1 h 59 min.")
    page.clock.run_for(25_000)
    expect(page.locator("[data-ends]")).to_have_text("Ends in 1 h 59 min.")
    page.get_by_role("button", name="Keep 2 h longer").click()
    expect(page.locator("[data-ends]")).to_have_text("Ends in 1 h 59 min.")
