"""Charts of requests by time and outcome, drawn as SVG by parts/chart.html, with a table of the same numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import NamedTuple

_MOST_STEPS = 5  # lines across the chart, without the one at 0


class Column(NamedTuple):
    label: str
    link: str
    numbers: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.numbers.values())

    @property
    def pieces(self) -> list[tuple[str, int, int]]:
        """Each tone with where its piece ends and how high it is, from the bottom up."""
        ends = accumulate(self.numbers.values())
        return [(tone, end, number) for (tone, number), end in zip(self.numbers.items(), ends, strict=True) if number]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """`head`: what the first column of its table is. Its columns have as `numbers` what was ok, bad, and the rest."""

    title: str
    head: str
    caption: str
    columns: Sequence[Column]

    @property
    def ticks(self) -> list[int]:
        return list_ticks(most=max(column.total for column in self.columns))

    @property
    def middle(self) -> int:
        return len(self.columns) // 2


def list_ticks(*, most: int) -> list[int]:
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    step = next(step for step in steps if step * _MOST_STEPS >= most)
    return [step * number for number in range(-(-most // step) or 1, -1, -1)]
