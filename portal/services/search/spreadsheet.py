"""Tables as CSV in which no spreadsheet finds a formula, however it splits lines. docs/export.md has the rule."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

# Where a cell would begin so that it is a formula: at the start of a text, and behind whatever a spreadsheet may have
# been set to split at. Split at semicolons, our quotes mean nothing: they no longer stand at the start of a cell, and
# those of the text may. So a text that ends where a cell may begin has our quote and the end of the line behind it.
_FORMULA = re.compile(r"""\A(?=\n)|(?:\A|[,;\t\r\n])[ "]*(?=[=+\-@\t\r])|[;\t\r\n]\Z""")


def write_csv(*, columns: tuple[str, ...], pages: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[str]:
    """With the mark by which spreadsheets know UTF-8, and lines as they end them."""
    yield "\ufeff" + _join([columns])
    for page in pages:
        yield _join([_write_cell(row[name]) for name in columns] for row in page)


def write_moment(*, time: datetime) -> str:
    """ISO 8601, in UTC, always with six digits."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _join(lines: Any) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(lines)
    return buffer.getvalue()


def _write_cell(value: Any) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return write_moment(time=value)
        case dict():
            return _defuse(json.dumps(value, ensure_ascii=False, sort_keys=True))
        case str():
            return _defuse(value)
        case _:
            return value


def _defuse(text: str) -> str:
    return _FORMULA.sub(r"\g<0>'", text)
