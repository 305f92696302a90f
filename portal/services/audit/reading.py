"""Reads events with what they changed, and tells which of them the portal has written."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from portal.services.audit import canonical, changes, events, signatures

LOWEST = -(2**63)
_PAGE = 500
_MOST_FORGED = 20  # events of one verb that are looked at for the newest that is none


@dataclass(kw_only=True)
class StoredEvent:
    """An event in its canonical form, with its changes, as both are stored."""

    row: canonical.Row
    changes: Sequence[canonical.Row]

    @property
    def id(self) -> int:
        """Its number."""
        return int(self.row[0])

    @property
    def at(self) -> str:
        """When it was, as it says."""
        return str(self.row[1])

    @cached_property
    def verdict(self) -> signatures.Verdict:
        """Whether the portal has written it, as it is."""
        return self.check(row=self.row)

    def check(self, *, row: canonical.Row) -> signatures.Verdict:
        """The values of another row in its place."""
        return events.check_event(row=row, changes=[changes.sign_stored(row=change) for change in self.changes])

    def read(self, name: str) -> object:
        """One of its columns."""
        return self.row[canonical.EVENT.names.index(name)]


def walk_events(*, after: int = LOWEST, until: int | None = None) -> Iterator[StoredEvent]:
    """Those with ids above `after`, in their order, read in pages."""
    while page := canonical.read_rows(form=canonical.EVENT, where="id > %s", values=[after], limit=_PAGE):
        by_event = _read_changes(first=page[0][0], last=page[-1][0])
        for row in page:
            if until is not None and row[0] > until:
                return
            yield StoredEvent(row=row, changes=by_event.get(row[0], []))
        after = page[-1][0]


def _read_changes(*, first: int, last: int) -> dict[int, list[canonical.Row]]:
    found = defaultdict(list)
    where = "event_id BETWEEN %s AND %s"
    for change in canonical.read_rows(
        form=canonical.CHANGE, where=where, values=[first, last], limit=canonical.NO_LIMIT
    ):
        found[change[0]].append(change)
    return found


def read_authentic(*, after: int, until: int, limit: int) -> list[canonical.Row]:
    """The next events that the portal has written, without their changes, up to and with `until`."""
    found = []
    for event in walk_events(after=after, until=until):
        if event.verdict is signatures.Verdict.AUTHENTIC:
            found.append(event.row)
            if len(found) == limit:
                break
    return found


def find_newest() -> int:
    """The highest id of an event that the portal has written; LOWEST where there is none."""
    where, values = "id <= %s", [2**63 - 1]
    while page := canonical.read_rows(form=canonical.NEWEST_EVENT, where=where, values=values, limit=20):
        by_event = _read_changes(first=page[-1][0], last=page[0][0])
        for row in page:
            stored = StoredEvent(row=row, changes=by_event.get(row[0], []))
            if stored.verdict is signatures.Verdict.AUTHENTIC:
                return stored.id
        values = [page[-1][0] - 1]
    return LOWEST


def find_newest_of(*, verb: str) -> StoredEvent | None:
    """The newest event of the verb that the portal has written; None where the newest few are all forged."""
    for row in canonical.read_rows(form=canonical.NEWEST_EVENT, where="verb = %s", values=[verb], limit=_MOST_FORGED):
        stored = StoredEvent(row=row, changes=_read_changes(first=row[0], last=row[0]).get(row[0], []))
        if stored.verdict is signatures.Verdict.AUTHENTIC:
            return stored
    return None
