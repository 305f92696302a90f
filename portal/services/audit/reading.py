"""Events as they are stored, with what they changed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

from portal import models
from portal.models.canonical_json import is_json, read_json, write_json
from portal.services.audit import canonical, signatures

LOWEST = -(2**63)
_PAGE = 1000
_CHANGE = ("event_id", "kind", "row_id", "act", "columns")


@dataclass(frozen=True, slots=True)
class StoredChange:
    """What an event changed about one row: the canonical JSON of each audited column before and after."""

    kind: str
    row_id: int
    act: str
    columns: str


@dataclass(frozen=True, slots=True)
class StoredEvent(signatures.Signed):
    """An event in its canonical form."""

    WHAT: ClassVar[str] = "event"

    id: int
    at: str
    actor_id: int | None
    actor_name: str
    address: str
    verb: str
    target: str
    request_number: int | None
    detail: str
    reason: str
    http_request: str
    signature: str
    changes: list[StoredChange]

    def describe(self) -> dict[str, object]:
        """All of it, fit for JSON."""
        changes = [
            {"act": one.act, "columns": read_json(one.columns), "kind": one.kind, "row_id": one.row_id}
            for one in self.changes
        ]
        return {
            **{name: getattr(self, name) for name in _EVENT},
            "detail": read_json(self.detail),
            "changes": changes,
        }

    def check(self) -> signatures.Verdict:
        """Whether the portal has written it, as it is. What is no JSON by itself could hide that another is missing."""
        if not all(map(is_json, (self.detail, *(one.columns for one in self.changes)))):
            return signatures.Verdict.WRONG
        return signatures.Signed.check(self)

    def _write_signed(self) -> str:
        """With the texts as they are stored, so that a million of them are checked quickly."""
        head = write_json(
            {"actor_id": self.actor_id, "actor_name": self.actor_name, "address": self.address, "at": self.at}
        )
        changes = ",".join(
            f'{{"act":{write_json(one.act)},"columns":{one.columns},'
            f'"kind":{write_json(one.kind)},"row_id":{write_json(one.row_id)}}}'
            for one in self.changes
        )
        tail = write_json(
            {
                "http_request": self.http_request,
                "id": self.id,
                "reason": self.reason,
                "request_number": self.request_number,
                "target": self.target,
                "verb": self.verb,
            }
        )
        return f'{head[:-1]},"changes":[{changes}],"detail":{self.detail},{tail[1:]}'


_EVENT = tuple(field.name for field in fields(StoredEvent) if field.name != "changes")


def walk_events(*, after: int, until: int | None = None) -> Iterator[StoredEvent]:
    """Those with ids above `after`, and not above `until`, in their order, read in pages."""
    where, most = "id > %s AND id <= %s", 2**63 - 1 if until is None else until
    while page := canonical.read_rows(model=models.Event, names=_EVENT, where=where, values=[after, most], limit=_PAGE):
        after, by_event = page[-1][0], _read_changes(first=page[0][0], last=page[-1][0])
        for row in page:
            yield StoredEvent(*(*row, by_event.get(row[0], [])))


def _read_changes(*, first: int, last: int) -> dict[int, list[StoredChange]]:
    found = defaultdict(list)
    where, order = "event_id BETWEEN %s AND %s", "event_id, position"
    for event_id, *values in canonical.read_rows(
        model=models.Change, names=_CHANGE, where=where, values=[first, last], order=order
    ):
        found[event_id].append(StoredChange(*values))
    return found
