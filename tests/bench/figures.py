"""What the figures of a run say: times, ratios, and whether each goal is met."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MOST_P95 = 0.1  # seconds
LEAST_FACTOR = 10.0  # by which the plain Django is slower, on deep pages, counts and filters


@dataclass(kw_only=True)
class Times:
    """One address of one database, called again and again. Times in seconds, `cpu` of the portal and the database."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    queries: int = 0
    rows: int = 0
    size: int = 0

    def add(self, call: dict[str, Any]) -> None:
        """The figures of one call."""
        self.wall.append(call["wall"])
        self.cpu.append(call["cpu"])
        self.queries, self.rows, self.size = call["queries"], call["rows"], call["size"]

    @property
    def p50(self) -> float:
        """Half of the calls were as fast."""
        return statistics.median(self.wall)

    @property
    def work(self) -> float:
        """Processor time, of half of the calls."""
        return statistics.median(self.cpu)

    @property
    def p95(self) -> float:
        """Of twenty calls all but one were as fast."""
        return sorted(self.wall)[max(0, -(-len(self.wall) * 95 // 100) - 1)]


@dataclass(kw_only=True)
class Result:
    """One case: with the few requests and with the many, and the plain Django's, where it has the page."""

    group: str
    name: str
    goal: float
    few: Times
    many: Times
    plain_few: Times | None = None
    plain_many: Times | None = None
    row_cost: float = 0.0  # seconds of work for each row that the few had less

    @property
    def ratio(self) -> float:
        """How many times the work it is with the many, for the same number of rows.

        By processor time: what else the machine does makes calls longer, and work hardly more.
        """
        missing = max(self.many.rows - self.few.rows, 0)
        return self.many.work / (self.few.work + missing * self.row_cost)

    @property
    def factor(self) -> float | None:
        """How many times as long the plain Django takes with the many."""
        return self.plain_many.p50 / self.many.p50 if self.plain_many else None

    def list_missed(self) -> list[str]:
        """The goals that it does not meet."""
        missed = []
        if self.ratio > self.goal:
            missed.append(f"{self.ratio:.1f} x")
        if self.many.p95 > MOST_P95:
            missed.append(f"p95 {1000 * self.many.p95:.0f} ms")
        if self.many.queries > self.few.queries:
            missed.append(f"{self.few.queries} -> {self.many.queries} queries")
        return missed


def price_rows(results: Iterable[Result]) -> None:
    """Find what a row costs on each kind of page, from pages of the few that have more and fewer of them."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    for group in groups.values():
        rows = [float(result.few.rows) for result in group]
        if len(set(rows)) > 1:
            slope, _ = statistics.linear_regression(rows, [result.few.work for result in group])
            for result in group:
                result.row_cost = max(slope, 0.0)
