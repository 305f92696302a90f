"""What a run has measured, as a table: of each figure the median of the rounds, with the least and the most."""

import statistics
from dataclasses import dataclass, field

from tests.bench import figures as tables
from tests.bench.crowd import plan
from tests.bench.crowd.loads import Figures
from tests.bench.crowd.subjects import KINDS

MISSED = "missed"


@dataclass(kw_only=True)
class Results:
    vendor: str
    measured: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)  # load, figure, subject

    def add(self, load: str, subject: str, figures: Figures) -> None:
        for figure, value in figures.items():
            self.measured.setdefault(load, {}).setdefault(figure, {}).setdefault(subject, []).append(value)

    def find(self, load: str, figure: str, subject: str) -> float | None:
        values = self.measured.get(load, {}).get(figure, {}).get(subject)
        return statistics.median(values) if values else None

    def judge(self, goal: plan.Goal) -> str:
        """The goal in words, with whether it is met; nothing where something was not measured."""
        value = self.find(goal.load, goal.figure, "portal")
        base = self.find(goal.of or goal.load, goal.figure, goal.beside) if goal.beside else 1.0
        if value is None or base is None or goal.only_on not in ("", self.vendor):
            return ""
        value /= base or 1
        limit, words = goal.least or goal.most, f"at {'least' if goal.least else 'most'} {goal.least or goal.most:g}"
        if goal.beside:
            words = f"{value:.2f} x {goal.beside}{' at 0 s' if goal.of else ''}, {words}"
        is_met = value >= limit if goal.least else value <= limit
        return f"{words}: {'met' if is_met else MISSED}"

    def write(self) -> list[str]:
        judged = {(goal.load, goal.figure): words for goal in plan.GOALS if (words := self.judge(goal))}
        lines = tables.write_head(["load", "figure", *KINDS, "goal"])
        for load, figures in self.measured.items():
            for figure, subjects in figures.items():
                cells = [_write_values(subjects.get(name, [])) for name in KINDS]
                lines.append(tables.write_row([load, figure, *cells, judged.get((load, figure), "")]))
        return lines


def _write_values(values: list[float]) -> str:
    if not values:
        return ""
    spread = f" ({_write(min(values))}–{_write(max(values))})" if len(set(values)) > 1 else ""
    return _write(statistics.median(values)) + spread


def _write(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
