"""What a run has measured, as tables: of each figure the median of the rounds, with the least and the most."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.bench.crowd import plan
from tests.bench.crowd.loads import Figures

NAMES = ("A", "B", "B+", "B+ on SQLite", "portal")


@dataclass(kw_only=True)
class Results:
    """Of one database engine. `busy`: the share of the processors that others had, before each measurement."""

    vendor: str
    told: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)  # load, figure, subject
    busy: list[float] = field(default_factory=list)

    def add(self, load: str, subject: str, figures: Figures) -> None:
        for figure, value in figures.items():
            self.told.setdefault(load, {}).setdefault(figure, {}).setdefault(subject, []).append(value)

    def find(self, load: str, figure: str, subject: str) -> float | None:
        values = self.told.get(load, {}).get(figure, {}).get(subject)
        return statistics.median(values) if values else None

    def judge(self, goal: plan.Goal) -> tuple[str, bool] | None:
        """The goal in words, and whether it is met; None where something was not measured."""
        value = self.find(goal.load, goal.figure, "portal")
        if value is None or goal.only_on not in ("", self.vendor):
            return None
        limit, words = goal.least or goal.most, f"at {'least' if goal.least else 'most'} {goal.least or goal.most:g}"
        if goal.beside:
            base = self.find(goal.of or goal.load, goal.figure, goal.beside)
            if base is None:
                return None
            value /= base or 1
            words = f"{value:.2f} x {goal.beside}{' at 0 s' if goal.of else ''}, {words}"
        return words, value >= limit if goal.least else value <= limit

    def list_judged(self) -> Iterator[tuple[plan.Goal, str, bool]]:
        for goal in plan.GOALS:
            if judged := self.judge(goal):
                yield goal, *judged

    def write(self) -> list[str]:
        """The table, as Markdown."""
        goals = {
            (goal.load, goal.figure): words + (": met" if is_met else ": missed")
            for goal, words, is_met in self.list_judged()
        }
        measured = {name for figures in self.told.values() for subjects in figures.values() for name in subjects}
        names = [name for name in NAMES if name in measured]
        head = ["load", "figure", *names, "goal"]
        lines = [_row(head), _row(["---"] * 2 + ["--:"] * len(names) + ["---"])]
        for load, figures in self.told.items():
            for figure, subjects in figures.items():
                cells = [_write_values(subjects.get(name, [])) for name in names]
                lines.append(_row([load, figure, *cells, goals.get((load, figure), "")]))
        return lines


def _write_values(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ({_write(min(values))}–{_write(max(values))})" if len(set(values)) > 1 else ""
    return _write(statistics.median(values)) + spread


def _write(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def _row(cells: list[Any]) -> str:
    return f"| {' | '.join(cells)} |"
