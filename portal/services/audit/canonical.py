"""The canonical form of what is signed, the same on both databases. docs/audit-log.md."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

type Described = dict[str, Any]  # a row: what it holds, by columns
type Ranges = list[list[int]]


def write_time(*, time: datetime) -> str:
    """UTC with microseconds, without a zone: the same text on both databases."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def convert_value(*, value: Any) -> Any:
    """A column's value as JSON can hold it."""
    if isinstance(value, datetime):
        return write_time(time=value)
    return value.hex if isinstance(value, UUID) else value


def pack_ranges(*, numbers: Iterable[int]) -> Ranges:
    """Ascending numbers as ranges, which take little room: [[1, 2000], [2003, 2003]]."""
    found: Ranges = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def unpack_ranges(*, ranges: Ranges) -> set[int]:
    """All numbers from each first to each last, both included."""
    return {number for first, last in ranges for number in range(first, last + 1)}
