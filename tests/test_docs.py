"""The documents say what the code does: all settings with their defaults and limits, and links that lead somewhere."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from portal.services.audit import rows
from portal.services.runtime import clients
from portal.worker import scheduler

ROOT = Path(__file__).resolve().parent.parent
README, SETTINGS = ROOT / "README.md", ROOT / "docs" / "settings.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MOST_IN_README = 20
_ROW = re.compile(r"^\| (`[A-Z][A-Z_`, ]+`) \| (.*) \|$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def list_reads() -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse((ROOT / "portal" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("environment.read_"):
            yield ast.literal_eval(node.args[0]), node


READS = dict(list_reads())
_READ_NUMBERS = [f"environment.read_{kind}" for kind in ("number", "whole_number", "days", "timing")]
_SECONDS = {"least": "0.1", "most": "2592000"}  # of a timing
# Where the default is a constant. The others' depends on the machine, or on another port.
NUMBERS = [
    name
    for name, call in READS.items()
    if ast.unparse(call.func) in _READ_NUMBERS and name not in ("WEB_CONCURRENCY", "PORTAL_API_PORT")
]


def read_table(path: Path) -> dict[str, list[str]]:
    """The cells of each name. A row of several names has as many defaults."""
    table = dict[str, list[str]]()
    for words, rest in _ROW.findall(path.read_text()):
        default, *others = (cell.strip() for cell in rest.split("|"))
        names = re.findall(r"`(\w+)`", words)
        defaults = default.split(", ") if len(names) > 1 else [default]
        table |= {name: [one, *others] for name, one in zip(names, defaults, strict=True)}
    return table


def test_all_settings_are_documented_and_no_others():
    assert set(read_table(SETTINGS)) == set(READS)


def test_the_readme_has_the_few_that_an_operator_turns_with_the_same_defaults():
    complete, table = read_table(SETTINGS), read_table(README)
    assert 0 < len(table) <= MOST_IN_README
    for name, cells in table.items():
        assert cells[0] == complete[name][0]
    assert {len(cells) for cells in table.values()} == {2}, "a cell too many is not shown"
    assert {len(cells) for cells in complete.values()} == {3}


def test_a_number_s_default_and_limits_are_those_of_the_code():
    table = read_table(SETTINGS)
    for name in NUMBERS:
        values = {keyword.arg: keyword.value for keyword in READS[name].keywords}
        values |= dict(zip(["default"], READS[name].args[1:], strict=False))
        given = _SECONDS | {key: str(eval(ast.unparse(value))) for key, value in values.items()}
        default, limits, _ = table[name]
        assert limits.startswith(f"{given['least']} to {given['most']}"), name
        assert default == given.get("default", "for ever"), name


def test_all_kinds_of_audited_rows_are_documented():
    text = (ROOT / "docs" / "audited-columns.md").read_text()
    told = dict(re.findall(r"^\| ([a-z-]+) \| `([a-z_ ]+)`", text, re.MULTILINE))
    hidden = dict(re.findall(r"^\| ([a-z-]+) \|.*\(`([a-z_ ]+)`\) \|$", text, re.MULTILINE))
    for name, kind in rows.KINDS.items():
        assert set(told[name].split()) == set(kind.columns) - kind.private
        assert set(hidden.get(name, "").split()) == kind.private


def list_anchors(path: Path) -> set[str]:
    """What a link may name behind its #, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    return target.exists() and (not anchor or anchor in list_anchors(target))


def test_links_lead_somewhere():
    links = [(path, link) for path in DOCUMENTS for link in _LINK.findall(_FENCED.sub("", path.read_text()))]
    inner = [(path, link) for path, link in links if not re.match(r"[a-z]+:", link)]
    dead = [f"{path}: {link}" for path, link in inner if not leads_somewhere(path, link)]
    assert not dead, "\n".join(dead)


def test_each_job_is_named():
    names = [job.name for job in scheduler.list_jobs(client=clients.make_client())]
    for path in (SETTINGS, next((ROOT / "docs/decisions").glob("0007-*.md"))):
        assert not [name for name in names if f"`{name}`" not in path.read_text()], path


def test_the_files_that_the_asvs_list_names_are_there():
    named = set(re.findall(r"`((?!/)[\w./-]+(?:\.py|\.html|\.conf|/))`", (ROOT / "docs" / "asvs.csv").read_text()))
    assert len(named) > 40
    assert [name for name in named if not any((folder / name).exists() for folder in (ROOT, ROOT / "portal"))] == []


def test_the_asvs_list_is_printed_whole():
    command = [sys.executable, str(ROOT / "docs" / "asvs.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [printed.count(f"| {verdict} |") for verdict in ("pass", "part", "FAIL")] == [157, 44, 0]
