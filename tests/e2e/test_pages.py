"""Every page, in every state: who reads it by ear, by keyboard, on a phone, enlarged, in the dark or on paper can."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e import checks
from tests.e2e.conftest import HEADLESS_SHELL, ROOT, collect_complaints, launch
from tests.e2e.lighthouse import run_lighthouse
from tests.e2e.pages import ADMIN, NO_PAGES, PAGES, Page
from tests.e2e.staged import Staged

FIRST_VISIT, LATER_VISIT = 90_000, 15_000  # bytes transferred


@pytest.fixture(scope="module")
def browser(playwright) -> Iterator[Browser]:
    """Chromium's engine without its windows, a third quicker: nothing here is done by more than a page."""
    running = launch(playwright, HEADLESS_SHELL)
    yield running
    running.close()


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    running = Staged(tmp_path_factory.mktemp("staged")).start()
    yield running
    running.end()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("html")


def test_every_name_of_the_url_map_is_a_page_or_said_to_be_none(staged):
    names = {name for name in staged.facts["names"] if not name.startswith("admin:")}
    pages = {page.url for page in PAGES} - {""}
    assert names - pages - NO_PAGES == set(), "add it to tests/e2e/pages.py"
    assert (pages | NO_PAGES) - names == set(), "it is in tests/e2e/pages.py alone"


@pytest.fixture(scope="module")
def watch_tab(browser, staged) -> Iterator[Callable[[Page], tuple[str, checks.Watch]]]:
    """The page's address, and the tab of its person. Each has one: a new one would compile axe-core anew."""
    watches: dict[str, checks.Watch] = {}

    def watch_it(page: Page) -> tuple[str, checks.Watch]:
        address = staged.find_address(page)
        if page.person not in watches:
            watches[page.person] = checks.Watch(staged.open_context(browser, page).new_page(), address)
        watches[page.person].expect(address)
        return address, watches[page.person]

    yield watch_it
    for watch in watches.values():
        watch.tab.context.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(watch_tab, saved, page):
    address, watch = watch_tab(page)
    tab = watch.tab
    response = tab.goto(address)
    assert response.status == page.status
    html = response.text()
    complaints = check_bytes(watch)
    if page.act:
        page.act(tab)
        html = tab.content()
    (saved / f"{page.name}.html").write_text(html)
    complaints += checks.check_page(tab)
    complaints += watch.complaints
    assert not complaints, "\n".join(complaints)


# One of each kind: forms, lists, all that unfolds.
@pytest.mark.parametrize("name", ["home-account", "request-new-refused", "history-all", "workstation-strange"])
def test_page_in_firefox(firefox, staged, name):
    """Layout alone: all else is the same there."""
    page = next(page for page in PAGES if page.name == name)
    address = staged.find_address(page)
    tab = staged.open_context(firefox, page).new_page()
    complaints = collect_complaints(tab)
    tab.goto(address)
    if page.act:
        page.act(tab)
    tab.evaluate(checks.SCRIPT)
    for width in (checks.PHONE, checks.DESK):
        tab.set_viewport_size({"width": width, "height": 900})
        complaints += [f"{text} at {width} px" for text in tab.evaluate("checks.fit()")]
    tab.context.close()
    assert not complaints, "\n".join(complaints)


# Too dim in the dark alone, too wide for a phone, a picture without words, and a style that the CSP forbids.
FAULTS = """() => {
    document.querySelector("main").insertAdjacentHTML("beforeend",
        "<img src='/static/favicon.svg'><p id='fault' style='color: red'>Dim</p>");
    document.getElementById("fault").style.cssText = "color: light-dark(black, #333); inline-size: 900px";
}"""


def test_faults_of_a_page_are_found(watch_tab):
    address, watch = watch_tab(next(page for page in PAGES if page.name == "home-empty"))
    watch.tab.goto(address)
    watch.tab.evaluate(FAULTS)
    complaints = checks.check_page(watch.tab) + watch.complaints
    for words in (
        "axe, light, 1280 px: image-alt",
        "axe, dark, 320 px: image-alt",
        "axe, dark, 320 px: color-contrast",
        "px wide: .* at 320 px, plain",
        "console: .*inline style",
    ):
        assert any(re.match(f".*{words}", text) for text in complaints), (words, complaints)
    assert not any("axe, light, 1280 px: color-contrast" in text for text in complaints)


def test_one_box_ticks_all_of_a_list(watch_tab):
    address, watch = watch_tab(next(page for page in PAGES if page.name == "workstations"))
    tab = watch.tab
    tab.goto(address)
    every, boxes = tab.get_by_label("Select all shown"), tab.locator("tbody [type=checkbox]")
    every.check()
    assert boxes.count() > 1
    assert all(box.is_checked() for box in boxes.all())
    boxes.first.uncheck()
    assert not every.is_checked()


def check_bytes(watch: checks.Watch) -> list[str]:
    """Of a visit: a first one as far as the browser knows nothing yet of what the page needs."""
    first = watch.take_bytes()
    if first <= LATER_VISIT:
        return []
    watch.tab.reload()
    later = watch.take_bytes()
    complaints = [f"a first visit transfers {first} bytes"] if first > FIRST_VISIT else []
    return complaints + ([f"a later visit transfers {later} bytes"] if later > LATER_VISIT else [])


def test_the_html_of_every_page_is_valid(saved):
    """Of those that the tests above have seen."""
    files = sorted(saved.glob("*.html"))
    if not files:
        pytest.skip("no page was looked at")
    done = subprocess.run(
        ["node_modules/.bin/html-validate", "--config", "tests/e2e/htmlvalidate.json", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_admin_is_quiet_fits_and_has_the_portals_theme(browser, staged):
    """WCAG AA is claimed for the portal alone; the audit log says nothing on its console and fits the screen."""
    tab = staged.open_context(browser, ADMIN[0]).new_page()
    watch = checks.Watch(tab, staged.address)
    for page in ADMIN:
        assert tab.goto(staged.find_address(page)).status == 200, page.path
        for width in (checks.DESK, checks.PHONE):
            checks.show(tab, width)
            assert tab.evaluate("document.documentElement.scrollWidth") == width, page.path
    tab.goto(f"{staged.address}/admin/")
    tab.get_by_role("button", name="Dark").click()
    expect(tab.locator("body")).to_have_css("background-color", "rgb(13, 21, 25)")
    assert tab.url.endswith("/admin/")
    tab.goto(staged.address)
    expect(tab.locator("body")).to_have_css("background-color", "rgb(13, 21, 25)")
    tab.context.close()
    assert watch.complaints == []


def test_lighthouse_finds_nothing(staged):
    """On the page with the most in it. How fast it is depends on the machine, and is printed alone."""
    page = next(page for page in PAGES if page.name == "history-all")
    address, session = staged.find_address(page), staged.facts["sessions"][page.person]
    scores = run_lighthouse(address=address, session=session)
    sys.stdout.write(f"performance: {scores.pop('performance')}\n")
    assert set(scores.values()) == {100}, scores
