"""The package: small, and nothing of the portal's in it; its page names all that there is."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main

from tests.wsp.running import PATIENCE, ROOT, make_environment
from wsp import cli, failures

PACKAGE = ROOT / "wsp" / "wsp"
MODULES = sorted(PACKAGE.glob("*.py"))
PROJECT = tomllib.loads((ROOT / "wsp" / "pyproject.toml").read_text())
PAGE = (ROOT / "docs" / "wsp.md").read_text()


def list_imports(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text()))
    names = [[one.name for one in node.names] for node in tree if isinstance(node, ast.Import)]
    tree = ast.walk(ast.parse(path.read_text()))
    names += [[node.module or ""] for node in tree if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for found in names for name in found}


def read_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[]", one)[0] for one in requirements}


def test_it_needs_no_more_than_it_says():
    plain = set(sys.stdlib_module_names) | read_names(PROJECT["project"]["dependencies"]) | {"wsp"}
    extra = read_names(PROJECT["project"]["optional-dependencies"]["mcp"]) | {"pydantic"}  # which the SDK speaks by
    for path in MODULES:
        assert list_imports(path) <= plain | (extra if path.stem == "server" else set()), path


@pytest.mark.parametrize("module", ["typer", "httpx2", "wsp.terminal"])
def test_ctrl_c_while_it_is_imported_leaves_no_traceback(folder, module):
    begin, _, name = PROJECT["project"]["scripts"]["wsp"].partition(":")
    script = f"""
import signal, sys
sys.addaudithook(lambda *event: event[1][:1] == ({module!r},) and signal.raise_signal(signal.SIGINT))
from {begin} import {name}
{name}()
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=make_environment(folder), capture_output=True, text=True, timeout=PATIENCE)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_all_commands_are_on_its_page_and_no_others():
    commands = set(typer.main.get_group(cli.app).list_commands(None))  # type: ignore[arg-type]  # it needs none
    assert set(re.findall(r"`wsp (\w+)", PAGE)) == commands


def test_all_exit_codes_are_on_its_page():
    codes = {kind.code for kind in vars(failures).values() if isinstance(kind, type) and hasattr(kind, "code")}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)} == {0, *codes}
