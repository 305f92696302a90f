"""Lighthouse on one page, as a phone sees it."""

import json
import os
import subprocess

from tests.e2e.conftest import ARGUMENTS, CHROMIUM, ROOT

TRIES = 3


def run_lighthouse(*, address: str, session: str) -> dict[str, int]:
    """Scores from 0 to 100 by category; what lowered one stands beside it, as a name with its own score."""
    command = [
        "node_modules/.bin/lighthouse",
        address,
        "--quiet",
        "--output=json",
        "--only-categories=performance,accessibility,best-practices,seo",
        f"--chrome-flags=--headless=new {' '.join(ARGUMENTS)}",
        f"--extra-headers={json.dumps({'Cookie': f'sessionid={session}'})}",
    ]
    found = json.loads(_run(command))
    assert found["finalDisplayedUrl"] == address, f"Lighthouse was led to {found['finalDisplayedUrl']}"
    scores = {name: round(100 * category["score"]) for name, category in found["categories"].items()}
    return scores | {name: round(100 * score) for name, score in _list_faults(found)}


def _run(command: list[str]) -> str:
    """What it prints. Where the browser's trace has no begin, Lighthouse asks to be run again."""
    environment = os.environ | {"CHROME_PATH": CHROMIUM}
    for _ in range(TRIES):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0 or "Please run Lighthouse again" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    return done.stdout


def _list_faults(found: dict) -> list[tuple[str, float]]:
    """Audits that count and are not full; those of the performance are measures, not faults."""
    counted = {
        part["id"]
        for name, category in found["categories"].items()
        for part in category["auditRefs"]
        if part["weight"] and name != "performance"
    }
    audits = [audit for audit in found["audits"].values() if audit["id"] in counted and audit["score"] is not None]
    return [(audit["id"], audit["score"]) for audit in audits if audit["score"] < 1]
