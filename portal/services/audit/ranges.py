"""Numbers in order as ranges, which take little room: [[1, 2000], [2003, 2003]]."""

from collections.abc import Iterable

type Ranges = list[list[int]]


def pack(*, numbers: Iterable[int]) -> Ranges:
    found: Ranges = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def unpack(*, ranges: Ranges) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}
