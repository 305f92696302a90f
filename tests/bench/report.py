"""Tables of what was measured, for the terminal and for docs/performance.md."""

import os
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.databases import ROOT
from tests.bench.exports import MOST_MEMORY
from tests.bench.figures import Result
from tests.bench.record import LEAST_RATE

DOCUMENT = ROOT / "docs/performance.md"
_MARKS = "<!-- figures of make bench -->", "<!-- end of figures -->"
_FILLED = 60  # seconds: what takes less was only looked at
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def show_progress(result: Result) -> None:
    """One line, as soon as the case is measured."""
    missed = f"  MISSED {', '.join(result.list_missed())}" if result.list_missed() else ""
    plain = f"  plain {result.factor:6.1f} x" if result.factor else ""
    _print(
        f"{result.group + ': ' + result.name:60} {_ms(result.few.work):>7} {_ms(result.many.work):>7} "
        f"{result.ratio:5.2f} x  p95 {_ms(result.many.p95):>7}{plain}{missed}"
    )


def show_plans(plans: Iterable[dict[str, Any]]) -> None:
    """The slowest queries of an address."""
    for plan in plans:
        _print(f"    {plan['ms']} ms: {plan['sql']}\n    {plan['values']}")
        for line in plan["plan"]:
            _print(f"        {line}")


def write_run(run: dict[str, Any]) -> str:
    """The tables of one database engine, as Markdown."""
    facts = run["facts"]
    lines = [
        f"## {NAMES[run['vendor']]} {facts['version'].split()[0]}",
        "",
        f"{facts['requests']:,} requests, {facts['attempts']:,} attempts, {facts['events']:,} events, "
        f"{facts['workstations']:,} workstations{_tell_filling(run['prepared'])}.",
        "",
        *_write_summary(run["results"]),
    ]
    for group, results in groupby(run["results"], key=lambda result: result.group):
        lines += [f"### {group[0].upper()}{group[1:]}", "", *_write_table(list(results)), ""]
    lines += [*_write_exports(run["exports"]), *_write_record(run["record"])]
    return "\n".join([*lines, ""])


def _tell_filling(prepared: list[dict[str, float]]) -> str:
    """How long it took, where it was filled for this run."""
    seconds = prepared[-1]["fill"]
    return f", filled in {seconds / 60:.0f} minutes" if seconds > _FILLED else ""


def _write_summary(results: list[Result]) -> list[str]:
    """Of each group of pages what half of them need, and the worst of them."""
    head = ["", "pages", "ratio, half", "most", "p95, half, ms", "most", "plain longer, half", "miss a goal"]
    lines = [_row(head), _row(["---"] + ["--:"] * (len(head) - 1))]
    for group, pages in groupby([*results, *(replace(one, group="all") for one in results)], key=lambda one: one.group):
        lines.append(_row(_sum_up(group, list(pages))))
    return [*lines, ""]


def _sum_up(group: str, results: list[Result]) -> list[str]:
    ratios, times = [one.ratio for one in results], [one.many.p95 for one in results]
    factors = [one.factor for one in results if one.factor]
    return [
        group, str(len(results)), f"{median(ratios):.2f}", f"{max(ratios):.2f}", _ms(median(times)), _ms(max(times)),
        f"{median(factors):.1f} x" if factors else "", str(sum(bool(one.list_missed()) for one in results)),
    ]  # fmt: skip


def _write_table(results: list[Result]) -> list[str]:
    with_plain = any(result.plain_many for result in results)
    head = ["page", "work at few, ms", "at many, ms", "ratio", "p50, ms", "p95, ms", "queries", "rows", "goals"]
    if with_plain:
        head[8:8] = ["plain at few, ms", "at many, ms", "longer than ours"]
    rows = [_write_result(result, with_plain=with_plain) for result in results]
    return [_row(head), _row(["---"] + ["--:"] * (len(head) - 2) + ["---"]), *(_row(row) for row in rows)]


def _write_result(result: Result, *, with_plain: bool) -> list[str]:
    few, many = result.few, result.many
    queries = str(many.queries) if many.queries == few.queries else f"{few.queries} → {many.queries}"
    rows = str(many.rows) if many.rows == few.rows else f"{few.rows} → {many.rows}"
    goals = "missed: " + ", ".join(result.list_missed()) if result.list_missed() else "met"
    cells = [result.name, _ms(few.work), _ms(many.work), f"{result.ratio:.2f}", _ms(many.p50), _ms(many.p95)]
    cells += [queries, rows]
    if with_plain:
        cells += [_ms(times.p50) if times else "" for times in (result.plain_few, result.plain_many)]
        cells.append(f"{result.factor:.1f} x" if result.factor else "")
    return [*cells, goals]


def _write_exports(exports: list[dict[str, Any]]) -> list[str]:
    if not exports:
        return []
    head = ["export", "rows", "MB", "seconds", "first byte, ms", "memory, MB", "without it", "p95 of a page, ms"]
    head += ["meanwhile", "goals"]
    lines = ["### Exports of everything", "", _row(head), _row(["---"] + ["--:"] * 8 + ["---"])]
    for one in exports:
        goals = "met" if one["memory"] < MOST_MEMORY else f"missed: more than {MOST_MEMORY:.0f} MB"
        cells = [one["path"], f"{one['rows']:,}", f"{one['bytes'] / 1e6:.0f}", f"{one['seconds']:.0f}"]
        cells += [_ms(one["first"]), f"{one['memory']:.0f}", f"{one['memory_before']:.0f}", _ms(one["page_alone"])]
        cells += [_ms(one["page_beside"]), goals]
        lines.append(_row(cells))
    return [*lines, ""]


def _write_record(record: list[dict[str, Any]]) -> list[str]:
    if not record:
        return []
    head = ["the audit log", "events", "seconds", "events a second on one core", "memory, MB", "goals"]
    lines = ["### Sealing and verifying", "", _row(head), _row(["---"] + ["--:"] * 4 + ["---"])]
    for one in record:
        goals = "met" if one["rate"] >= LEAST_RATE else f"missed: {LEAST_RATE:,} a second"
        cells = [one["name"], f"{one['events']:,}", f"{one['seconds']:.0f}", f"{one['rate']:,.0f}"]
        lines.append(_row([*cells, f"{one['memory']:.0f}", goals]))
    return [*lines, ""]


def write_document(runs: list[dict[str, Any]]) -> None:
    """Put the tables between the marks of docs/performance.md."""
    put_between(_MARKS, [*describe_machine(runs), "", *(write_run(run) for run in runs)])


def put_between(marks: tuple[str, str], lines: list[str]) -> None:
    """Replace what docs/performance.md has between its marks."""
    text, (begin, end) = DOCUMENT.read_text(), marks
    assert begin in text, f"{DOCUMENT.name} has lost its marks"
    before, after = text.partition(begin)[0], text.partition(end)[2]
    DOCUMENT.write_text(before + "\n".join([begin, "", *lines, end]) + after)


def describe_machine(runs: list[dict[str, Any]]) -> list[str]:
    """What it was measured on; nothing that tells whose machine it is."""
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    engines = ", ".join(f"{NAMES[run['vendor']]} {run['facts']['version'].split()[0]}" for run in runs)
    return [
        f"Measured on {os.cpu_count()} cores ({found[1] if found else platform.machine()}), {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}, Django {runs[0]['facts']['django']}, {engines}."
    ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.1f}" if seconds < 0.1 else f"{1000 * seconds:,.0f}"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
