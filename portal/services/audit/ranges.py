"""Numbers in order as ranges, which take little room: [[1, 2000], [2003, 2003]]."""

import bisect
from collections.abc import Iterable, Iterator

type Ranges = list[list[int]]


def pack(*, numbers: Iterable[int]) -> Ranges:
    """The ranges of ascending numbers."""
    found: Ranges = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def contain(*, ranges: Ranges, number: int) -> bool:
    """Whether the number is in one of the ranges, which are in their order."""
    place = bisect.bisect_right(ranges, number, key=lambda ends: ends[0])
    return place > 0 and number <= ranges[place - 1][1]


def unpack(*, ranges: Ranges) -> Iterator[int]:
    """The numbers in the ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
