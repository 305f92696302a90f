"""Templates can be read: no line is longer than a screen, and what a view includes by name is there."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
MOST_COLUMNS = 120


def test_no_line_is_too_long():
    lines = [(path, line) for path in TEMPLATES for line in path.read_text().splitlines()]
    long = [f"{path}: {line.strip()}" for path, line in lines if len(line) > MOST_COLUMNS]
    assert not long, "\n".join(long)


def test_what_a_view_names_is_there():
    views = (FOLDER.parent / "portal" / "views").rglob("*.py")
    names = {name for path in views for name in re.findall(r'"([a-z_/]+\.html)[#"]', path.read_text())}
    assert "requests/panels/made_after_all.html" in names
    assert not [name for name in names if not (FOLDER / name).is_file()]
