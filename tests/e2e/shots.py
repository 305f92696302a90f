"""`make shots`: a picture of every page in `shots/`: light and dark, on a desk and on a phone.

`make shots ARGS=--readme`: README's, in docs/images, of an ordinary day, but for `desktop.png`.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.e2e import checks
from tests.e2e.conftest import ROOT, launch
from tests.e2e.pages import ADMIN, PAGES, Page
from tests.e2e.staged import Staged

SIZES = {"desk": 1440, "phone": 390}


def take(browser: Browser, staged: Staged, page: Page, folder: Path) -> None:
    """Four pictures of one page."""
    address = staged.find_address(page)
    context = staged.open_context(browser, page)
    tab = context.new_page()
    tab.goto(address)
    if page.act:
        page.act(tab)
    for size, width in SIZES.items():
        for scheme in ("light", "dark"):
            checks.show(tab, width, color_scheme=scheme, reduced_motion="reduce")
            tab.screenshot(path=folder / f"{page.name}-{size}-{scheme}.png", full_page=True)
    context.close()


# Name, path, person, size, colours.
# By the stage: of an ordinary day, and of all pages.
README = {
    ("day",): [
        ("home", "/", "mira", (1200, 800), "light"),
        ("request", "/requests/new/", "mira", (1200, 800), "light"),
        ("ready", "/requests/8/", "mira", (1200, 800), "light"),
        ("overview", "/overview/", "olga", (1360, 860), "light"),
        ("history", "/requests/", "olga", (1200, 800), "dark"),
        ("phone", "/", "mira", (390, 844), "light"),
    ],
    (): [("failed", "/requests/{r_402}/", "mira", (1200, 800), "light")],
}


def take_readme(browser: Browser, *words: str) -> None:
    """The upper part of a few pages."""
    with tempfile.TemporaryDirectory() as folder:
        staged = Staged(Path(folder), *words).start()
        try:
            for name, path, person, (width, height), scheme in README[words]:
                page = Page(name=name, path=path, url="", person=person)
                address = staged.find_address(page)
                context = staged.open_context(browser, page, color_scheme=scheme, reduced_motion="reduce")
                tab = context.new_page()
                tab.set_viewport_size({"width": width, "height": height})
                tab.goto(address)
                tab.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")
                context.close()
        finally:
            staged.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="pages whose names contain this")
    parser.add_argument("--folder", type=Path, default=ROOT / "shots")
    parser.add_argument("--readme", action="store_true", help="those of README alone")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        if options.readme:
            for words in README:
                take_readme(browser, *words)
            return
        staged = Staged(Path(folder)).start()
        try:
            for page in [*PAGES, *ADMIN]:
                if options.only in page.name:
                    take(browser, staged, page, options.folder)
        finally:
            staged.end()
            browser.close()


if __name__ == "__main__":
    main()
