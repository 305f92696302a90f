"""What a row must be: the sum of all that events tell of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from portal import models
from portal.services.audit import canonical, groups, rows, signatures

type Difference = tuple[str, str]  # a finding's kind and words
_ACT, _AS_OF, _COLUMNS = (canonical.CHANGE.names.index(name) for name in ("act", "as_of", "columns"))


@dataclass(kw_only=True)
class Fold:
    """The state of one row after the changes so far, and what did not fit on the way.

    `by`: for each column the event that left it so. `is_gone`: an event says that the row was removed.
    """

    kind: rows.Kind
    columns: rows.Columns = field(default_factory=dict)
    by: dict[str, int] = field(default_factory=dict)
    is_told: bool = False
    begins: bool = False
    is_gone: bool = False
    differences: list[Difference] = field(default_factory=list)

    def take_all(self, changes: Iterable[canonical.Row]) -> "Fold":
        """Take in all that events say of the row, in their order."""
        # What pruning keeps is said by a later event, as of the one that went.
        for change in sorted(changes, key=lambda change: (change[_AS_OF], change[0], change[1])):
            self._take(change)
        return self

    def _take(self, change: canonical.Row) -> None:
        event_id, act = change[_AS_OF], change[_ACT]
        acts = models.Change.Act
        self.is_told = True
        self.begins |= act == acts.ADDED
        self.is_gone = act == acts.REMOVED
        if self.kind.name == "group" and not self.columns:
            # One that the portal makes with its tables is as the code says before an event tells of it.
            former, _ = change[_COLUMNS].get("name", (None, None))
            self.columns = groups.describe_group(name=str(former)) or {}
            self.by = dict.fromkeys(self.columns, 0)
        for name, (before, after) in change[_COLUMNS].items():
            if act == acts.CHANGED and name in self.columns and self._differ(name, before, self.columns[name]):
                words = f"had {_show(name, before)} before event {event_id}: {self._tell(name)}."
                self.differences.append(("row changed", words))
            self.columns[name], self.by[name] = after, event_id

    def _differ(self, name: str, one: object, other: object) -> bool:
        """Whether two values in the log differ; digests of different keys cannot be compared."""
        if name in self.kind.private and signatures.read_key_id(digest=one) != signatures.read_key_id(digest=other):
            return not (one and other)
        return one != other

    def compare(self, stored: rows.Columns | None) -> Iterator[Difference]:
        """What did not fit, and how the row that is stored differs from what it must be."""
        yield from self.differences
        if stored is None:
            if not self.is_gone:
                yield "row removed", f"was removed; event {max(self.by.values(), default=0)} tells of it."
            return
        if self.is_gone:
            yield "row inserted", "is there, though an event says that it was removed."
        for name in self.columns:
            if not self.fits(name, stored.get(name)):
                yield "row changed", f"has {_show(name, self._hide(name, stored.get(name)))}: {self._tell(name)}."

    def fits(self, name: str, value: object) -> bool:
        """Whether a column of the row may hold this."""
        found, expected = self._hide(name, value), self.columns[name]
        if type(found) is str and type(expected) is str:  # as most are: encoding takes time
            return found == expected
        return canonical.encode(row=[found]) == canonical.encode(row=[expected])

    def _hide(self, name: str, value: object) -> object:
        key_id = signatures.read_key_id(digest=self.columns[name])
        return rows.hide(kind=self.kind, column=name, value=canonical.fit(value=value), key_id=key_id)

    def _tell(self, name: str) -> str:
        by = f"event {self.by[name]} left" if self.by[name] else "the portal makes it with"
        return f"{by} {_show('', self.columns[name])}"


def _show(name: str, value: object) -> str:
    text = canonical.encode(row=[value]).decode("ascii")[1:-1]
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return f"{name} {text}".strip()
