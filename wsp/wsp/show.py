"""What commands print: tables for people, lines with tabs for pipes, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

errors = Console(stderr=True, highlight=False)
_IN_A_LINE = ("createdAt", "level", "type", "message")


def show(document: object, text: object, *, as_json: bool) -> None:
    print(json.dumps(document, indent=2) if as_json else clean(text))


def show_table(found: Sequence[Mapping[str, Any]], heads: Mapping[str, str], *, as_json: bool) -> None:
    """`heads` names the field of each column, also one within another: workspace.id."""
    rows = [[clean(_pick(one, path)).replace("\n", " ") for path in heads.values()] for one in found]
    if as_json or not sys.stdout.isatty():
        print(json.dumps(found, indent=2) if as_json else "".join("\t".join(row) + "\n" for row in rows), end="")
        return
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console(highlight=False).print(table)


def say(text: str) -> None:
    """To a person: no script reads it."""
    errors.print(Text(clean(text)), soft_wrap=True)


def clean(value: object) -> str:
    """What others have written, without what would steer the terminal."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def describe_entry(entry: Mapping[str, Any] | str) -> str:
    """A line of a log, with all that it says."""
    if isinstance(entry, str):
        return clean(entry)
    known = [entry[name] for name in _IN_A_LINE if entry.get(name)]
    more = [f"{name}={value}" for name, value in entry.items() if name not in _IN_A_LINE]
    return " ".join(clean(one).replace("\n", " ") for one in (*known, *more))


def _pick(document: object, path: str) -> object:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document
