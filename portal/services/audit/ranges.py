"""Numbers in order as ranges, which take little room: [[1, 2000], [2003, 2003]]."""

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


def unpack(*, ranges: Ranges) -> Iterator[int]:
    """The numbers in the ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
