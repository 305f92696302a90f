"""Templates can be read: no line is longer than a screen, and what a view includes by name is there."""

from pathlib import Path

from portal.views.components.request_panels import Panel

FOLDER = Path(__file__).resolve().parent.parent / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
MOST_COLUMNS = 120


def test_no_line_is_too_long():
    lines = [(path, line) for path in TEMPLATES for line in path.read_text().splitlines()]
    long = [f"{path}: {line.strip()}" for path, line in lines if len(line) > MOST_COLUMNS]
    assert not long, "\n".join(long)


def test_every_panel_of_a_request_has_its_template():
    assert not [panel for panel in Panel if not (FOLDER / panel).is_file()]
