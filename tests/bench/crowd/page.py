"""When an open page of the portal asks for news, as static/portal.js has it."""

import html
import math
import re
from dataclasses import dataclass

from tests.bench.databases import ROOT

_SCRIPT = (ROOT / "static/portal.js").read_text()


def _read_seconds(name: str) -> list[float]:
    found = re.search(rf"{name} = \[?([0-9., ]+)\]?;", _SCRIPT)
    assert found, f"static/portal.js has no {name}"
    return [float(word) for word in found[1].split(",")]


PAUSES, [SOON_FOR] = _read_seconds("PAUSES"), _read_seconds("SOON_FOR")


@dataclass(kw_only=True)
class Page:
    """Where its live part asks, how often at most, and how often it has met nothing new."""

    poll: str = ""
    pause: float = 0.0
    soon: float = 0.0
    quiet: int = 0

    def read(self, text: str) -> None:
        """Take the address of the next poll from the page or from a part of it."""
        found = re.search(r'id="live"[^>]*?data-hx-get="(.+?)"[^>]*?data-pause="(.+?)"([^>]*)>', text)
        assert found, "the page has no live part"
        self.poll, self.pause, self.quiet = html.unescape(found[1]), float(found[2]), 0
        soon = re.search(r'data-soon="(.+?)"', found[3])
        self.soon = float(soon[1]) if soon else 0.0

    def wait(self) -> float:
        early = math.ceil(SOON_FOR / self.soon) if self.soon else 0
        if self.quiet < early:
            return self.soon
        return max(PAUSES[min(self.quiet - early, len(PAUSES) - 1)], self.pause)
