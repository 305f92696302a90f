"""Tombstones: what was pruned is named before it goes, by a row of which an event tells with a keyed digest.

Whoever can write in the database can insert a tombstone, and can then delete what it names. But without the audit key
they cannot write the digest that its event must hold: such a tombstone names nothing, for verifying and for pruning.
"""

import bisect
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from portal import models
from portal.models.event import Verb
from portal.services.audit import canon, events, keys, rowdigests

_LABEL = ["portal tombstone 1"]
_PAGE = 500
_KIND = "tombstone"  # as events call such a row
_TOLD = "SELECT id, row_digests FROM portal_event WHERE verb = %s AND id > %s ORDER BY id LIMIT 50"  # they are long
_LOWEST = -(2**63)

type Named = tuple[str, canon.Row]  # with what its kind is called in row digests, or "event"


def digest_rows(*, rows: Iterable[Named]) -> str:
    """What a tombstone keeps of the rows that go: an HMAC over their kinds and canonical forms, with the audit key."""
    digest = hmac.new(keys.get_key().secret, canon.encode(row=_LABEL), hashlib.sha256)
    for kind, row in rows:
        digest.update(b"\n" + canon.encode(row=[kind, row]))
    return digest.hexdigest()


def bury(*, stones: Sequence[models.Tombstone], carried: Iterable[rowdigests.Statement] = ()) -> None:
    """Insert tombstones, and the event that tells of them: in the transaction in which goes what they name.

    `carried`: what pruned events tell of rows that stay; from now on this event tells it.
    """
    for stone in stones:
        stone.save(force_insert=True)
    events.record(
        Verb.PRUNE,
        str(stones[0]),
        detail={stone.kind.lower(): {"tombstone": stone.pk, "counts": stone.counts} for stone in stones},
        rows=stones,
        carried=carried,
    )


@dataclass(kw_only=True)
class Names:
    """What authentic tombstones name. Read when it is first asked, and again where new ones may have come."""

    _is_read: bool = False
    _read_until: int = _LOWEST
    _told: dict[int, rowdigests.Statement] = field(default_factory=dict)
    _authentic: set[int] = field(default_factory=set)
    _ranges: list[tuple[int, int]] = field(default_factory=list)  # of events, in their order; no two overlap
    _last: dict[str, frozenset[int]] = field(default_factory=dict)  # what the tombstone names that was asked last

    def covers(self, *, first: int, last: int, anew: bool = True) -> bool:
        """Whether all events with these ids may be gone; `anew`: as far as is known by now, not only from before."""
        if self._covers(first, last):
            return True
        return (anew or not self._is_read) and self._read() and self._covers(first, last)

    def has(self, *, kind: str, number: int) -> bool:
        """Whether the request or workstation (`kind` as a tombstone has it) may be gone."""
        if number not in self._last.get(kind, ()):
            self._last[kind] = self.find(kind=kind, numbers=[number])
        return number in self._last[kind]

    def find(self, *, kind: str, numbers: Iterable[int]) -> frozenset[int]:
        """What all those tombstones name that name any of the requests or workstations."""
        wanted = set(numbers)
        found = self._find(kind, wanted)
        return found if wanted <= found or not self._read() else self._find(kind, wanted)

    def has_row(self, *, statement: rowdigests.Statement) -> bool:
        """Whether a row may be gone of which an event tells."""
        kinds = models.Tombstone.Kind
        match statement.kind:
            case "request":
                return self.has(kind=kinds.REQUESTS, number=statement.id)
            case "attempt" | "late-answer":
                return statement.number is not None and self.has(kind=kinds.REQUESTS, number=statement.number)
            case "workstation":
                return self.has(kind=kinds.WORKSTATIONS, number=statement.id)
            case _:
                return False

    def find_untold(self) -> list[int]:
        """Tombstones that are there, and of which no event tells: somebody wrote them past the portal."""
        present = models.Tombstone.objects.order_by("id").values_list("id", flat=True)
        untold = [number for number in present.iterator() if number not in self._told]
        self._read()
        return [number for number in untold if number not in self._told]

    def _covers(self, first: int, last: int) -> bool:
        place = bisect.bisect_right(self._ranges, first, key=lambda ends: ends[0])
        return place > 0 and last <= self._ranges[place - 1][1]

    def _find(self, kind: str, wanted: set[int]) -> frozenset[int]:
        if not wanted:
            return frozenset()
        stones = models.Tombstone.objects.filter(kind=kind, last_id__gte=min(wanted), first_id__lte=max(wanted))
        lists = (ids for pk, ids in stones.values_list("id", "ids").iterator() if pk in self._authentic)
        return frozenset().union(*(ids for ids in lists if not wanted.isdisjoint(ids)))

    def _read(self) -> bool:
        """Hear what events tell of tombstones since the last time. Whether there was anything."""
        self._is_read = True
        heard: dict[int, rowdigests.Statement] = {}
        while page := canon.fetch_rows(sql=_TOLD, values=[Verb.PRUNE, self._read_until]):
            for event_id, text in page:
                heard |= self._hear(event_id, text)
            self._read_until = page[-1][0]
        numbers = sorted(heard)
        for start in range(0, len(numbers), _PAGE):
            self._judge({number: heard[number] for number in numbers[start : start + _PAGE]})
        return bool(numbers)

    def _hear(self, event_id: int, text: str) -> Mapping[int, rowdigests.Statement]:
        """Those that are newer than what is known."""
        told = {}
        for statement in rowdigests.read_statements(text=text, event_id=event_id):
            known = self._told.get(statement.id)
            if statement.kind == _KIND and (known is None or known.origin < statement.origin):
                self._told[statement.id] = told[statement.id] = statement
        return told

    def _judge(self, told: Mapping[int, rowdigests.Statement]) -> None:
        """Which of them are as their event says."""
        stored = rowdigests.read_rows(kind=_KIND, ids=told)
        for number, statement in told.items():
            self._authentic.discard(number)
            row, key = stored.get(number), keys.find_key(key_id=statement.key_id)
            if row is None or key is None:
                continue
            if rowdigests.digest_row(kind=_KIND, number=number, row=row, secret=key.secret) == statement.digest:
                self._authentic.add(number)
                self._add_range(row)

    def _add_range(self, row: canon.Row) -> None:
        values = dict(zip(rowdigests.FORMS[_KIND].names, row, strict=True))
        if values["kind"] == models.Tombstone.Kind.EVENTS:
            bisect.insort(self._ranges, (values["first_id"], values["last_id"]))
