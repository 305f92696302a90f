"""A workstation opened in the browser: desktop, terminal, live log, and addresses for scripts."""

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import checks, remote
from tests.e2e.conftest import Portal
from tests.e2e.steps import add_person, join, open_key, request
from tests.provider import server

BOTH = pytest.mark.parametrize("browser", ["chromium", "firefox"], indirect=True)


@pytest.fixture
def page(page, people) -> Page:
    """Signed in."""
    page.context.add_cookies(people["ada"]["cookies"])
    return page


@pytest.fixture(scope="module")
def uid(portal, chromium, people) -> str:
    """A workstation that has everything."""
    with closing(chromium.new_context(storage_state=people["ada"])) as context:
        return make_one(context.new_page(), portal)


def make_one(page: Page, portal: Portal) -> str:
    open_key(page, portal.address)
    request(page, portal.address, type="max")
    expect(page.locator("#live")).to_have_attribute("data-request-status", "succeeded", timeout=20_000)
    page.get_by_role("link", name="View workstation").click()
    page.wait_for_url("**/workstations/*/")
    return page.url.rstrip("/").rpartition("/")[2]


def connect(page: Page, portal: Portal, uid: str, kind: str, *, expected: str = "connected") -> None:
    page.goto(f"{portal.address}/workstations/{uid}/{kind}/")
    expect(page.locator("[data-connection]")).to_have_attribute("data-connection", expected, timeout=15_000)


def test_what_is_typed_on_the_desktop_arrives_and_comes_back(page, portal, uid):
    connect(page, portal, uid, "desktop")
    expect(page.locator("[data-screen] canvas")).to_be_visible()
    page.keyboard.type("Hello", delay=20)
    page.keyboard.press("Control+c")
    # Where the browser forbids it, the text is shown in a box.
    page.evaluate("void (Clipboard.prototype.writeText = () => Promise.reject(new Error()))")
    # What the workstation has copied comes in its time, and nothing on the page says so.
    page.wait_for_function(
        """() => {
            document.querySelector("[data-act=copy]").click();
            return document.querySelector("[data-clipboard]").value === "Hello";
        }""",
        polling=100,
    )


def test_the_live_log_shows_a_line_an_entry(page, portal, uid):
    connect(page, portal, uid, "log")
    expect(page.locator("[data-screen]")).to_contain_text("Entry 1 of max")
    page.locator("[data-act=filter]").fill("no such word")
    expect(page.locator("[data-screen] > *", has_text="Entry 1")).to_be_hidden()


@pytest.mark.parametrize("kind", ["desktop", "terminal", "log"])
def test_the_page_has_no_fault(page, portal, uid, kind):
    connect(page, portal, uid, kind)
    checks.show(page, checks.PHONE)  # the row of tools scrolls there, and the page does not
    assert page.evaluate("document.documentElement.scrollWidth") == checks.PHONE
    page.evaluate(checks.SCRIPT)
    assert checks.check_axe(page) + checks.check_names(page) + checks.check_forced_colours(page) == []


def test_a_script_uses_the_browser_of_the_workstation(page, portal, provider, uid, playwright, tmp_path):
    with remote.run_browser(tmp_path) as address:
        point_at(provider, "browser/cdp", address, times=1)
        page.goto(f"{portal.address}/workstations/{uid}/scripts/")
        page.get_by_role("button", name="Address of the browser").click()
        assert page.locator("#address").inner_text() == address
        debugged = playwright.chromium.connect_over_cdp(address)
        tab = (debugged.contexts[0] if debugged.contexts else debugged.new_context()).new_page()
        tab.goto("data:text/html,<title>Reached</title>")
        assert tab.title() == "Reached"
        debugged.close()
        page.goto(page.url)
        assert address not in page.content()


def test_who_works_in_a_shared_workstation_reads_why_it_is_gone_and_no_address_is_kept(browser, portal, people):
    owner, guest = browser.new_context(storage_state=people["ada"]).new_page(), browser.new_context().new_page()
    opened = list[str]()
    guest.on("websocket", lambda socket: opened.append(socket.url))
    uid = make_one(owner, portal)
    join(guest, portal.address, add_person(owner, portal.address, "carol", "Member"))
    owner.goto(f"{portal.address}/workstations/{uid}/")
    owner.locator("#share summary").click()
    owner.fill("#share [name=person]", "carol")
    owner.check("#share [name=level][value=work]")
    owner.locator("#share [type=submit]").click()
    guest.goto(f"{portal.address}/workstations/{uid}/terminal/")
    words = guest.locator("[data-connection]")
    expect(words).to_have_attribute("data-connection", "connected", timeout=15_000)
    owner.locator("#release > summary").click()
    expect(owner.locator("#release")).to_contain_text("carol has a terminal open.", timeout=15_000)
    owner.locator("#release").get_by_role("button", name="Release").click()
    why = re.compile(r"ada released this workstation at \d\d:\d\d UTC, .+\. Its files stay in ada's workspace\.")
    expect(words).to_contain_text(why, timeout=40_000)
    expect(guest.get_by_role("button", name="Connect again")).to_be_hidden()
    with closing(sqlite3.connect(portal.folder / "portal.sqlite3", timeout=30)) as database:
        events = database.execute("SELECT verb FROM portal_event WHERE actor_name = 'carol'")
        assert not {"refused", "end-connection"} & {verb for (verb,) in events}
    expect(owner.locator("main")).to_contain_text("Ended", timeout=15_000)
    guest.reload()
    expect(guest.locator("main")).to_contain_text(why)

    tokens = [url.rpartition("/")[2] for url in opened if "/v1/" in url]
    assert tokens
    for token in tokens:
        assert token not in portal.output
        assert not any(token.encode() in file.read_bytes() for file in portal.folder.glob("portal.sqlite3*"))
    owner.context.close()
    guest.context.close()


# --- With a real desktop and a real shell ---


def point_at(provider: server.Sandbox, kind: str, address: str, *, times: int = 20) -> None:
    """Let the provider answer with this address from now on, and with none that has ended."""
    provider.provider.script.clear()
    answer = {"status": 200, "body": {"url": address}, "times": times}
    provider.script({"on": f"POST /workstations/{{id}}/{kind}"} | answer)


def wait_for_colour(page: Page, wanted: list[int]) -> None:
    page.wait_for_function(
        """wanted => {
            const canvas = document.querySelector("[data-screen] canvas");
            if (!canvas || canvas.width < 900) return false;
            const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 900, 600, 1, 1, 0, 0, 1, 1);
            const seen = copy.getImageData(0, 0, 1, 1).data;
            return wanted.every((value, place) => Math.abs(value - seen[place]) < 16);
        }""",
        arg=wanted,
    )


@BOTH
def test_three_keys_lead_from_the_desktop_to_its_tools(page, portal, uid):
    connect(page, portal, uid, "desktop")
    expect(page.locator("[data-screen] canvas")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("[data-screen] canvas")).to_be_focused()
    page.keyboard.press("Control+Alt+Shift")
    expect(page.get_by_role("button", name="Fit to window")).to_be_focused()


def test_a_desktop_that_asks_for_a_password_is_refused_in_words(page, portal, provider, uid):
    with remote.run_locked_desktop() as relay:
        point_at(provider, "vncwss", relay.address, times=1)
        connect(page, portal, uid, "desktop", expected="refused")
        expect(page.get_by_role("heading", name="The desktop asks for a password")).to_be_visible()
        expect(page.get_by_role("button", name="Connect again")).to_be_focused()


@BOTH
def test_a_real_desktop_is_shown_takes_what_is_typed_and_comes_back_after_a_cut(page, portal, provider, uid, tmp_path):
    with remote.run_desktop(tmp_path) as (relay, keys):
        point_at(provider, "vncwss", relay.address)
        connect(page, portal, uid, "desktop")
        wait_for_colour(page, [0xC0, 0x20, 0x40])
        canvas = page.locator("[data-screen] canvas")
        canvas.click(position={"x": 40, "y": 40})  # without a window manager keys go where the pointer is
        page.keyboard.type("portal", delay=20)
        wait_for_keys(page, keys, "portal")

        relay.cut()
        expect(page.locator("[data-connection]")).to_have_attribute("data-connection", "connecting")
        expect(page.locator("[data-connection]")).to_have_attribute("data-connection", "connected", timeout=15_000)
        wait_for_colour(page, [0xC0, 0x20, 0x40])


def wait_for_keys(page: Page, file: Path, wanted: str) -> None:
    """Until the window has written down all of these keys."""
    end = time.monotonic() + 15
    while (typed := "".join(re.findall(r"KeyPress(?:.*\n){2}.*keysym 0x\w+, (\w)\)", file.read_text()))) != wanted:
        assert time.monotonic() < end, typed
        page.wait_for_timeout(50)


@BOTH
def test_a_real_shell_runs_what_is_typed_and_comes_back_after_a_cut(page, portal, provider, uid, tmp_path):
    with remote.run_shell(tmp_path) as relay:
        point_at(provider, "sandbox/pty", relay.address)
        connect(page, portal, uid, "terminal")
        rows = page.locator(".xterm-rows > div")
        page.keyboard.type("echo $((6 * 7)) > answer.txt; cat answer.txt\n", delay=5)
        expect(rows.filter(has_text=re.compile(r"^42\s*$"))).to_be_visible()
        assert (tmp_path / "answer.txt").read_text() == "42\n"
        black = page.locator(".xterm-viewport").evaluate("bar => getComputedStyle(bar).backgroundColor")
        assert black == "rgba(0, 0, 0, 0)", "below the last row"

        relay.cut()
        expect(rows.filter(has_text="Connected again")).to_be_visible(timeout=15_000)
        expect(rows.filter(has_text=re.compile(r"^42\s*$"))).to_be_visible()
