"""Templates can be read: no line is longer than a screen, and what a view includes by name is there."""

from pathlib import Path

import pytest

from portal.views.components.request_panels import Panel

FOLDER = Path(__file__).resolve().parent.parent / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
MOST_COLUMNS = 120


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_line_is_too_long(path):
    lines = path.read_text().splitlines()
    assert not [(number, line) for number, line in enumerate(lines, start=1) if len(line) > MOST_COLUMNS]


@pytest.mark.parametrize("panel", Panel)
def test_every_panel_of_a_request_has_its_template(panel):
    assert (FOLDER / panel).is_file()
