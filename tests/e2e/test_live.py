"""Pages that change while somebody looks, types or waits elsewhere, and what they say when nobody answers."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e import checks
from tests.e2e.steps import PASSWORD, await_status, request


@pytest.fixture
def shaky(browser, people) -> Iterator[Page]:
    """A page whose connection fails: the browser writes every failed request into its console."""
    context = browser.new_context(storage_state=people["ada"])
    yield context.new_page()
    context.close()


def hide(page: Page, hidden: bool) -> None:
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_the_tab_tells_the_state_and_nothing_moves(signed_in, portal):
    page = signed_in
    request(page, portal.address, workspace="slow-4")
    expect(page).to_have_title(re.compile("^Sending: Python, R-"))
    place = page.locator(".timeline").bounding_box()["y"]
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("busy"))

    expect(page).to_have_title(re.compile("^Ready: Python, R-.* – Workstations$"), timeout=20_000)
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("icons/ok"))
    expect(page.locator("#live")).not_to_have_attribute("data-hx-trigger", "poll")
    expect(page.locator("#pause")).to_have_attribute("data-hx-trigger", "poll")
    assert page.locator(".timeline").bounding_box()["y"] == place

    page.click("text=View workstation")
    expect(page).to_have_title(re.compile("^Running: Python, workstation "))
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("icons/ok"))


def test_a_hold_comes_and_goes_on_every_page(signed_in, portal):
    page = signed_in
    page.clock.install()
    page.goto(f"{portal.address}/failures/")
    expect(page.locator("#pause")).to_be_empty()
    other = page.context.new_page()
    request(other, portal.address, workspace="fail-402")
    await_status(other, "failed")
    place = page.locator("main h1").bounding_box()
    page.evaluate("document.querySelector('#pause').innerHTML = '<i data-left=65></i>'")
    page.clock.run_for(6_000)
    expect(page.locator("[data-left]")).to_have_text(re.compile("^In (1 min 0[01]|59) s[.]$"))
    page.clock.run_for(10_000)
    expect(page.locator("#pause")).to_contain_text("Requests are paused for the whole team")

    other.goto(f"{portal.address}/key/")
    other.get_by_role("button", name="Resume").click()
    page.clock.run_for(16_000)
    expect(page.locator("#pause")).to_contain_text("Resuming: the next request tests")
    request(other, portal.address)
    await_status(other, "succeeded")
    page.clock.run_for(16_000)
    expect(page.locator("#pause")).to_contain_text("Requests are being sent again")
    assert page.locator("main h1").bounding_box() == place
    page.clock.resume()
    assert not checks.check_axe(page)


def test_a_cut_connection_is_said_and_taken_back(shaky, portal):
    shaky.goto(f"{portal.address}/")
    lost = shaky.locator("[data-when=lost]")
    shaky.context.set_offline(True)
    expect(lost).to_be_visible()
    expect(lost).to_have_text(
        re.compile(r"Connection lost\. This page shows the state of \d\d:\d\d:\d\d; trying again…")
    )
    shaky.context.set_offline(False)
    expect(lost).to_be_hidden()

    shaky.route("**/live/**", lambda route: route.fulfill(status=503, body="<h1>away</h1>"))
    expect(shaky.get_by_text("can't reach its database")).to_be_visible(timeout=20_000)
    expect(shaky.get_by_role("heading", name="Your workstations")).to_be_visible()
    shaky.unroute("**/live/**")
    expect(shaky.get_by_text("can't reach its database")).to_be_hidden(timeout=20_000)


def test_an_ended_session_is_said_and_takes_nothing_away(shaky, portal):
    shaky.goto(f"{portal.address}/requests/new/?again=1")
    shaky.fill("[name=note]", "half a thought")
    shaky.context.clear_cookies()
    hide(shaky, False)

    sign_in = shaky.get_by_role("link", name="Sign in again and come back here")
    expect(sign_in).to_be_visible()
    assert not checks.check_axe(shaky)
    expect(shaky.locator("[name=note]")).to_have_value("half a thought")
    sign_in.click()
    shaky.fill("[name=username]", "ada")
    shaky.fill("[name=password]", PASSWORD)
    shaky.press("[name=password]", "Enter")
    shaky.wait_for_url(f"{portal.address}/requests/new/?again=1")


def count_polls(page: Page) -> list[str]:
    polls: list[str] = []

    def note(request: Request) -> None:
        if "hx-request" in request.headers:
            polls.append(request.url)

    page.on("request", note)
    return polls


def test_polls_slow_down_stop_in_a_hidden_tab_and_go_on_when_it_is_shown(signed_in, portal):
    page = signed_in
    page.clock.install()
    page.goto(f"{portal.address}/failures/")
    polls = count_polls(page)
    hide(page, True)
    page.clock.run_for(120_000)
    assert polls == []
    with page.expect_response("**/key/banner/**") as response:
        hide(page, False)
        page.clock.run_for(1)
    assert response.value.status == 204
    assert len(polls) == 1


def stop_time(page: Page) -> None:
    """Let nothing come due in pages that are opened from now on, until the test lets time pass."""
    page.clock.install(time=0)
    page.clock.pause_at(1_000)


def test_the_first_polls_come_soon_and_the_others_ever_later(signed_in, portal):
    page = signed_in
    stop_time(page)
    request(page, portal.address, workspace="slow-2")
    expect(page.locator("#live")).to_have_attribute("data-soon", "0.3")
    expect(page.locator("#live")).to_have_attribute("data-pause", "2")
    page.wait_for_load_state()  # the first poll is set up by scripts that come after the page
    page.route("**/live/**", lambda route: route.fulfill(status=204))
    page.evaluate(
        "document.addEventListener('htmx:finally:request', () => {"
        " document.body.dataset.polled = Number(document.body.dataset.polled ?? 0) + 1; })"
    )
    polls = count_polls(page)
    for number, pause in enumerate((*[300] * 50, 2_000, 3_000, 5_000, 10_000, 15_000, 15_000)):
        page.clock.run_for(pause - 1)
        assert len(polls) == number, f"a poll came before {pause} ms had passed"
        page.clock.run_for(1)
        expect(page.locator("body")).to_have_attribute("data-polled", str(number + 1))
        assert len(polls) == number + 1


def test_a_final_state_is_shown_by_the_first_poll_after_it(signed_in, portal, browser, people):
    page = signed_in
    stop_time(page)
    request(page, portal.address, workspace="slow-1")
    polls = count_polls(page)
    beside = browser.new_context(storage_state=people["ada"])
    other = beside.new_page()
    other.goto(page.url)
    await_status(other, "succeeded")
    beside.close()
    expect(page.locator("#live")).not_to_have_attribute("data-request-status", "succeeded")

    page.clock.run_for(300)
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded")
    assert len(polls) == 1
    page.clock.run_for(10_000)
    assert len(polls) == 1


def test_a_hidden_tab_still_learns_seldom_what_somebody_waits_for(signed_in, portal):
    page = signed_in
    page.clock.install()
    request(page, portal.address, workspace="slow-10")
    polls = count_polls(page)
    hide(page, True)
    page.clock.run_for(29_000)
    assert polls == []
    with page.expect_response("**/live/**"):
        page.clock.run_for(2_000)


def test_menus_close_with_escape_and_with_a_press_elsewhere(signed_in, portal):
    page = signed_in
    page.goto(portal.address)
    menu = page.locator(".account")
    opener = menu.locator("summary")
    opener.click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(opener).to_be_focused()

    opener.click()
    expect(menu).to_have_attribute("open", "")
    page.locator(".foot").click()
    expect(menu).not_to_have_attribute("open", "")


def test_the_browsers_time_zone_is_offered_until_somebody_chooses(portal, browser, people):
    context = browser.new_context(storage_state=people["ada"], timezone_id="Asia/Kolkata")
    page = context.new_page()
    page.goto(portal.address)
    own = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")  # Chromium says Asia/Calcutta
    expect(page.locator("#zone")).to_contain_text(own)
    page.get_by_role("button", name="Use my browser's").click()
    expect(page.locator(".messages")).to_contain_text(f"Times are shown in {own}")
    page.goto(portal.address)
    expect(page.locator("#zone")).to_have_count(0)
    context.close()
