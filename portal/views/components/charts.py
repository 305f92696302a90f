"""Bars: numbers as they are drawn. Heights and widths are hundredths of the plot, as texts that no language changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WIDTH = 0.76  # of a column; the rest is the gap to the next
_MOST_STEPS = 5  # lines across the plot, without the one at 0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a column, in the colour of its tone."""

    tone: str
    y: str
    height: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of pieces one upon another, with the numbers that they stand for."""

    label: str
    link: str
    numbers: Mapping[str, int]
    pieces: Sequence[Piece]
    x: str
    left: int

    @property
    def total(self) -> int:
        return sum(self.numbers.values())


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A line across the plot."""

    value: int
    y: str


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The whole plot; ticks from the top down."""

    columns: Sequence[Column]
    ticks: Sequence[Tick]
    width: str = f"{_WIDTH:g}"

    @property
    def middle(self) -> int:
        """Which column stands in the middle, from 0 on."""
        return len(self.columns) // 2


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar that lies beside its name. Without a link it is a rest of several things, which has no width."""

    name: str
    link: str
    number: int
    width: str


def draw_columns(entries: Sequence[tuple[str, str, Mapping[str, int]]]) -> Columns:
    """One column for each label, link and numbers by tone; the first tone stands at the bottom."""
    step = _find_step(max((sum(numbers.values()) for _, _, numbers in entries), default=0))
    count = -(-max((sum(numbers.values()) for _, _, numbers in entries), default=0) // step) or 1
    top = step * count
    return Columns(
        columns=[
            Column(
                label=label,
                link=link,
                numbers=numbers,
                pieces=_pile_up(numbers, top=top),
                x=f"{left + (1 - _WIDTH) / 2:g}",
                left=left,
            )
            for left, (label, link, numbers) in enumerate(entries)
        ],
        ticks=[Tick(value=step * number, y=_shorten(100 - 100 * number / count)) for number in range(count, -1, -1)],
    )


def draw_bars(entries: Sequence[tuple[str, str, int]]) -> list[Bar]:
    """One bar for each name, link and number, in the order given."""
    most = max((number for _, link, number in entries if link), default=0) or 1
    return [
        Bar(name=name, link=link, number=number, width=_shorten(100 * number / most) if link else "")
        for name, link, number in entries
    ]


def _pile_up(numbers: Mapping[str, int], *, top: int) -> list[Piece]:
    pieces, below = [], 0
    for tone, number in numbers.items():
        below += number
        if number:
            pieces.append(Piece(tone=tone, y=_shorten(100 - 100 * below / top), height=_shorten(100 * number / top)))
    return pieces


def _find_step(most: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 ... of which a few reach up to the largest number."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * _MOST_STEPS >= most:
                return step
        power *= 10


def _shorten(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
