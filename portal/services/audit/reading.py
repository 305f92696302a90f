"""Events as they are stored, with what they changed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields

from portal import models
from portal.models.canonical_json import is_json, read_json, write_json
from portal.services.audit import canonical, signatures

LOWEST = -(2**63)
_PAGE = 1000
_CHANGE = ("event_id", "kind", "row_id", "act", "columns")


@dataclass(slots=True)
class StoredChange:
    """What an event changed about one row: the canonical JSON of each audited column before and after."""

    kind: str
    row_id: int
    act: str
    columns: str

    def describe(self) -> dict[str, object]:
        return {"act": self.act, "columns": read_json(self.columns), "kind": self.kind, "row_id": self.row_id}

    def write(self) -> str:
        """Its canonical form, with the columns as they are stored."""
        kind, row_id = write_json(self.kind), write_json(self.row_id)
        return f'{{"act":{write_json(self.act)},"columns":{self.columns},"kind":{kind},"row_id":{row_id}}}'


@dataclass(slots=True)
class StoredEvent:
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
        values = {name: getattr(self, name) for name in _EVENT}
        return values | {"detail": read_json(self.detail), "changes": [one.describe() for one in self.changes]}

    def check(self) -> signatures.Verdict:
        """Whether the portal has written it, as it is. What is no JSON by itself could hide that another is missing."""
        if is_json(self.detail) and all(is_json(one.columns) for one in self.changes):
            return signatures.check(what="event", text=self._write_signed(), signature=self.signature)
        return signatures.Verdict.WRONG

    def sign(self) -> str:
        return signatures.sign(what="event", text=self._write_signed())

    def _write_signed(self) -> str:
        """With the texts as they are stored, so that a million of them are checked quickly."""
        write = write_json
        return (
            f'{{"actor_id":{write(self.actor_id)},"actor_name":{write(self.actor_name)}'
            f',"address":{write(self.address)},"at":{write(self.at)}'
            f',"changes":[{",".join([one.write() for one in self.changes])}],"detail":{self.detail}'
            f',"http_request":{write(self.http_request)},"id":{write(self.id)},"reason":{write(self.reason)}'
            f',"request_number":{write(self.request_number)},"target":{write(self.target)},"verb":{write(self.verb)}}}'
        )


_EVENT = tuple(field.name for field in fields(StoredEvent) if field.name != "changes")


def walk_events(*, after: int, until: int | None = None) -> Iterator[StoredEvent]:
    """Events with ids above `after` and not above `until`, in their order; read in pages, so in constant memory."""
    found = models.Event.objects.order_by("id")
    found = found if until is None else found.filter(id__lte=until)
    while page := canonical.read_rows(rows=found.filter(id__gt=after)[:_PAGE], names=_EVENT):
        after, by_event = page[-1][0], _read_changes(first=page[0][0], last=page[-1][0])
        for row in page:
            yield StoredEvent(*(*row, by_event.get(row[0], [])))


def _read_changes(*, first: int, last: int) -> dict[int, list[StoredChange]]:
    by_event = defaultdict(list)
    found = models.Change.objects.filter(event_id__range=(first, last)).order_by("event_id", "position")
    for event_id, *values in canonical.read_rows(rows=found, names=_CHANGE):
        by_event[event_id].append(StoredChange(*values))
    return by_event
