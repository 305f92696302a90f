"""Lighthouse's performance of five pages, as a phone sees them: the median of five runs, at least 97."""

import statistics
import sys
import tempfile
from pathlib import Path

from tests.e2e.lighthouse import run_lighthouse
from tests.e2e.pages import PAGES
from tests.e2e.staged import Staged

NAMES = ("login", "home", "request-new", "request-failed-402", "history")
RUNS, LEAST = 5, 97


def measure(staged: Staged, name: str) -> float:
    page = next(page for page in PAGES if page.name == name)
    session = staged.facts["sessions"].get(page.person, "")
    return statistics.median(
        run_lighthouse(address=staged.find_address(page), session=session, categories=("performance",))["performance"]
        for _ in range(RUNS)
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        staged = Staged(Path(folder)).start()
        try:
            scores = {}
            for name in NAMES:
                scores[name] = measure(staged, name)
                sys.stdout.write(f"Lighthouse, performance of {name}: {scores[name]:.0f}\n")
                sys.stdout.flush()
        finally:
            staged.end()
    return 0 if min(scores.values()) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
