"""The pages of every list, by the id at their edge: as fast deep in a list as at its start."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from portal import models

PAGE_SIZE = 50

type Find[Row] = Callable[[Slice], Sequence[Row]]


@dataclass(frozen=True, kw_only=True)
class Slice:
    above: int = 0
    below: int = models.MAX_ID
    newest_first: bool = True
    limit: int = 1_000

    def cut[Row](self, rows: QuerySet[Any, Row]) -> list[Row]:
        """The rows of this slice, in its order."""
        order = "-pk" if self.newest_first else "pk"
        return list(rows.filter(pk__gt=self.above, pk__lt=self.below).order_by(order)[: self.limit])


@dataclass(frozen=True, kw_only=True)
class Page[Row]:
    """`older` and `newer` are the ids beyond which its neighbours begin; None where there is none."""

    rows: list[Row]
    older: int | None
    newer: int | None
    is_first: bool

    def with_rows[Other](self, rows: Iterable[Other]) -> "Page[Other]":
        """The same page with what is made of its rows."""
        return Page(rows=[*rows], older=self.older, newer=self.newer, is_first=self.is_first)


def read_rows[Row: Model](*, rows: QuerySet[Row], **edges: Any) -> Page[Row]:
    """One page of these rows by their ids."""
    return read_page(find=lambda part: part.cut(rows), **edges)


def read_page[Row: int | Model](
    *,
    find: Find[Row],
    before: int | None = None,
    after: int | None = None,
    newest_first: bool = True,
    size: int | None = None,
) -> Page[Row]:
    """What is found, ids or rows, below the one id or above the other; `size` is PAGE_SIZE where it is left out."""
    size, is_first = size or PAGE_SIZE, before is None and after is None
    goes_down = newest_first if is_first else before is not None
    edge = {"above": after or 0} if before is None else {"below": before}
    found = find(Slice(newest_first=goes_down, limit=size + 1, **edge))
    rows = list(found[:size] if goes_down == newest_first else found[size - 1 :: -1])
    ids, has_more = [row if isinstance(row, int) else row.pk for row in rows], len(found) > size
    has_older, has_newer = (has_more, not is_first) if goes_down else (not is_first, has_more)
    older, newer = min(ids, default=None) if has_older else None, max(ids, default=None) if has_newer else None
    return Page(rows=rows, older=older, newer=newer, is_first=is_first)
