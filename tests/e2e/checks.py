"""What must hold for every page. Each check gives its complaints; an empty list is a pass."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page as Tab

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
PHONE, HEADER, DESK = 320, 900, 1280
RUN_AXE = """async tags => {
    const found = await axe.run({ runOnly: tags, resultTypes: ["violations"] });
    return found.violations.map(rule => `${rule.id} (${rule.help}): ` +
        rule.nodes.slice(0, 3).map(node => `${node.target.join(" ")} ${node.failureSummary}`));
}"""
SCRIPT = (Path(__file__).parent / "checks.js").read_text()


class Watch:
    """What a tab says on its console, asks of other hosts, and transfers."""

    def __init__(self, tab: Tab, address: str) -> None:
        self.expect(address)
        self._bytes, self._under_way = 0, set[str]()
        self.tab = tab
        tab.on("console", lambda message: self._note(tab, message.text, message.location["url"]))
        tab.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        tab.on("request", lambda request: self._check_host(request.url))
        session = tab.context.new_cdp_session(tab)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda event: self._under_way.add(event["requestId"]))
        session.on("Network.loadingFailed", lambda event: self._under_way.discard(event["requestId"]))
        session.on("Network.loadingFinished", self._count)

    def _note(self, tab: Tab, text: str, url: str) -> None:
        # A page that is refused or not found is no fault of its own; what it loads must be there.
        if not (text.startswith("Failed to load resource") and url.split("#")[0] == tab.url):
            self.complaints.append(f"console: {text}")

    def expect(self, address: str) -> None:
        """Begin anew, with a page of this address."""
        self.complaints: list[str] = []
        self._host = urlsplit(address).netloc

    def _check_host(self, url: str) -> None:
        if urlsplit(url).netloc != self._host:
            self.complaints.append(f"asks {url}")

    def _count(self, event: dict) -> None:
        self._under_way.discard(event["requestId"])
        self._bytes += int(event["encodedDataLength"])

    def take_bytes(self) -> int:
        """Bytes since the last call, when all that was begun is there."""
        self.tab.evaluate("document.fonts.ready.then(() => null)")
        for _ in range(500):  # a poll that a new page cut off never ends
            if not self._under_way:
                break
            self.tab.evaluate("null")  # lets what the browser tells come in
        taken, self._bytes = self._bytes, 0
        return taken


def show(tab: Tab, width: int = DESK, **media: Any) -> None:
    """Look at the tab in this width; the media that are not named are as on a light screen."""
    tab.set_viewport_size({"width": width, "height": 900})
    # "null" lifts an emulation.
    defaults = {"media": "null", "color_scheme": "light", "reduced_motion": "null", "forced_colors": "null"}
    tab.emulate_media(**defaults | media)


def check_page(tab: Tab) -> list[str]:
    """Everything that one load of a page can show."""
    tab.evaluate(SCRIPT)
    checks = (check_axe, check_sheet, check_names, check_keyboard, check_widths, check_forced_colours, check_print)
    return [complaint for check in checks for complaint in check(tab)]


def check_axe(tab: Tab) -> list[str]:
    """All rules, in light on a wide screen and in dark on a phone."""
    tab.evaluate(AXE_SCRIPT)
    complaints = []
    for scheme, width in (("light", DESK), ("dark", PHONE)):
        show(tab, width, color_scheme=scheme, reduced_motion="reduce")  # no colour on its way to another
        complaints += [f"axe, {scheme}, {width} px: {text}" for text in tab.evaluate(RUN_AXE, WCAG)]
    return complaints


def check_sheet(tab: Tab) -> list[str]:
    """What docs/decisions/0008-own-css.md measures: type, heights, cards, and a header in one row from 900 px up."""
    complaints = []
    for width in (HEADER, DESK):
        show(tab, width)
        complaints += [f"{text} at {width} px" for text in tab.evaluate("checks.sheet()")]
    return complaints


def check_names(tab: Tab) -> list[str]:
    """Links, buttons and fields can be told apart by ear, and the title says that a form was refused."""
    show(tab)
    return tab.evaluate("checks.names()")


def check_keyboard(tab: Tab) -> list[str]:
    """Tab goes through everything in the order of reading, and each stop is seen."""
    show(tab)
    stops = tab.evaluate("checks.watchFocus()")
    for presses in (stops, 8, 8, stops):  # a date's field and what scrolls have stops of their own
        for _ in range(presses):
            tab.keyboard.press("Tab")
        complaints = tab.evaluate("checks.focusComplaints()")
        if not complaints:
            break
    return complaints


def check_widths(tab: Tab) -> list[str]:
    """Nothing is wider than the screen or cut off: on a small phone, with text twice as large, and spaced out."""
    complaints = []
    for width in (PHONE, DESK):
        show(tab, width)
        complaints += [f"{text} at {width} px" for text in tab.evaluate("checks.order()")]
        for setting in ("spaced", "doubled", "plain"):
            found = tab.evaluate("setting => { checks.set(setting); return checks.fit(); }", setting)
            complaints += [f"{text} at {width} px, {setting}" for text in found]
    return complaints


def check_forced_colours(tab: Tab) -> list[str]:
    """What was a coloured field has a border; and nothing moves for whoever asked for that."""
    show(tab, forced_colors="active", reduced_motion="reduce")
    return tab.evaluate("checks.borders()") + tab.evaluate("document.getAnimations().map(() => 'something moves')")


def check_print(tab: Tab) -> list[str]:
    """On paper: black on white, nothing to press, nothing cut off."""
    show(tab, 700, media="print", color_scheme="dark")
    complaints = tab.evaluate("checks.paper()") + [f"{text} on paper" for text in tab.evaluate("checks.fit()")]
    show(tab)
    return complaints
