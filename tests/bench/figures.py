"""What the parts of the bench have in common: percentiles, rows of tables, and what processes have used."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def find_p95(values: Sequence[float]) -> float:
    """Of twenty values all but one are as low."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


def write_row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def write_head(cells: Sequence[str]) -> list[str]:
    return [write_row(cells), write_row(["---"] * len(cells))]


def show(*lines: str) -> None:
    """At once: some take minutes."""
    print(*lines, sep="\n", flush=True)  # noqa: T201 (a command's own words)


def read_seconds(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS  # user and system


def read_memory(pid: int) -> float:
    """Its share of memory, in MB: what several share is divided between them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def list_family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in list_family(int(child)))]
