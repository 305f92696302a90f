"""`python -m tests.bench.lists`: what lists cost with few and with many requests.

Databases are filled once and kept (data/bench/, and bench_<number> on PostgreSQL). Processes of the portal read all
lists, by turns over the few and over the many. The exit says whether every goal is met.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from tests.bench import databases, figures

MOST_P95 = 100.0  # milliseconds
MISSED = " (missed)"
_MANY = {"sqlite": 20_000, "postgresql": 1_000_000}  # requests: who has more of them runs PostgreSQL
_TURNS = 2


@dataclass(kw_only=True)
class Result:
    goal: float
    few: list[dict[str, Any]] = field(default_factory=list)
    many: list[dict[str, Any]] = field(default_factory=list)

    def judge(self) -> list[str]:
        """Ratio of processor time (which what else the machine does hardly changes), p95 of the many by the clock, and
        numbers of queries and rows; with a mark what misses its goal. Other rows are other work."""
        few, many = (statistics.median(call["cpu"] for call in calls) for calls in (self.few, self.many))
        p95 = 1000 * figures.find_p95([call["wall"] for call in self.many])
        before, after = ([calls[-1][name] for name in ("queries", "rows")] for calls in (self.few, self.many))
        judged = [
            (f"{many / few:.2f}", many / few > self.goal),
            (f"{p95:.1f}", p95 > MOST_P95),
            *((str(n) if n == was else f"{was} → {n}", n != was) for was, n in zip(before, after, strict=True)),
        ]
        return [words + MISSED * is_missed for words, is_missed in judged]


def measure(vendor: str, *, few: int, many: int, rounds: int, only: str) -> dict[str, Result]:
    pair = {"few": few, "many": many}
    prepared = {name: databases.prepare(vendor=vendor, requests=count) for name, count in pair.items()}
    results: dict[str, Result] = {}
    for turn, (name, environment) in itertools.product(range(_TURNS), prepared.items()):
        command = [sys.executable, "-m", "tests.bench.inside", str(len(range(turn, rounds, _TURNS))), only]
        done = subprocess.run(command, cwd=databases.ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        for case, read in json.loads(done.stdout).items():
            getattr(results.setdefault(case, Result(goal=read["goal"])), name).extend(read["calls"])
    return results


def write_table(runs: dict[str, dict[str, Result]]) -> list[str]:
    columns = [f"{vendor}: {figure}" for vendor in runs for figure in ("ratio", "p95, ms", "queries", "rows")]
    rows = [
        [name, *(cell for run in runs.values() for cell in run[name].judge())] for name in next(iter(runs.values()))
    ]
    return [*figures.write_head(["list", *columns]), *map(figures.write_row, rows)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lists", description=__doc__)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, help="default: 20000 on SQLite, 1000000 on PostgreSQL")
    parser.add_argument("--vendors", nargs="*", choices=list(_MANY), default=list(_MANY))
    parser.add_argument("--rounds", type=int, default=20, help="calls of each list")
    parser.add_argument("--only", default="", help="lists whose names contain this")
    options, runs = parser.parse_args(), {}
    for vendor in options.vendors:
        many = options.many or _MANY[vendor]
        runs[vendor] = measure(vendor, few=options.few, many=many, rounds=options.rounds, only=options.only)
    figures.show(*(table := write_table(runs)))
    return int(any(MISSED in row for row in table))


if __name__ == "__main__":
    sys.exit(main())
