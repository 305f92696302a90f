"""Marks: what a seal keeps of each of its events, so that one that is missing or was sealed otherwise is found."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.services.audit import canonical, signatures

_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)  # noqa: DTZ001 (the database's texts are UTC)
_ID, _AT = 8, 8  # bytes
SIZE = _ID + _AT + signatures.CODE


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a seal knows of one event."""

    id: int
    at: str
    code: bytes


def mark_event(*, row: canonical.Row) -> bytes:
    """The mark of an authentic event: its id, its time in microseconds since 1970, and the code of its signature."""
    at = (datetime.fromisoformat(row[1]) - _EPOCH) // _MICROSECOND
    code = signatures.read_code(signature=row[-1])
    return int(row[0]).to_bytes(_ID, signed=True) + at.to_bytes(_AT, signed=True) + code


def split_marks(*, marks: bytes) -> Iterator[Mark]:
    """The marks one by one."""
    for start in range(0, len(marks) - SIZE + 1, SIZE):
        number, at = (int.from_bytes(marks[start + place : start + place + _ID], signed=True) for place in (0, _ID))
        time = f"{_EPOCH + at * _MICROSECOND:%Y-%m-%d %H:%M:%S.%f}"
        yield Mark(id=number, at=time, code=marks[start + _ID + _AT : start + SIZE])
