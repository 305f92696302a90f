"""Verifying rows: is each as the newest change of each of its columns says?

Kind by kind, in ranges of ids, so that memory stays the same however many there are. The portal may run meanwhile:
what seems wrong is looked at again until no event has come between.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import Min

from portal import models
from portal.models import groups
from portal.models.canonical_json import read_json, write_json
from portal.services.audit import canonical, reading, rows, signatures, tombstones
from portal.services.audit.report import Report

_PAGE = 500  # rows at once
_CHANGE = ("row_id", "event_id", "act", "columns")
_LOOKS = 5  # at what changes while it is looked at
_Act = models.Change.Act

type Difference = tuple[str, str]  # a finding's kind and words


def compare_rows(*, report: Report, on_step: Callable[[], None]) -> None:
    for kind in rows.KINDS.values():
        comparison = _Comparison(kind=kind, report=report)
        after = reading.LOWEST
        while page := comparison.list_next(after):
            comparison.compare(page)
            after = page[-1]
            on_step()


@dataclass(kw_only=True)
class _State:
    """A row as events have left it: of each column the value, and the event that left it so."""

    kind: rows.Kind
    columns: dict[str, tuple[object, int]] = field(default_factory=dict)
    begins: bool = False
    is_gone: bool = False
    differences: list[Difference] = field(default_factory=list)

    def take(self, event_id: int, act: str, text: str) -> None:
        """Take in one change. What was there before must be what the change before it has left."""
        columns = read_json(text)
        if self.kind.name == "group" and not self.columns:
            former = _describe_group(name=str(columns.get("name", [None])[0])) or {}
            self.columns = {name: (value, 0) for name, value in former.items()}
        self.begins |= act == _Act.ADDED
        self.is_gone = act == _Act.REMOVED
        for name, (before, after) in columns.items():
            if act == _Act.CHANGED and name in self.columns and not self._is_same(name, before):
                words = f"had {_show(name, before)} before event {event_id}: {self._describe(name)}."
                self.differences.append(("row changed", words))
            self.columns[name] = (after, event_id)

    def _is_same(self, name: str, before: object) -> bool:
        left = self.columns[name][0]
        key_ids = {signatures.read_key_id(signature=value) for value in (before, left) if value}
        return before == left or (name in self.kind.private and len(key_ids) == 2)

    def compare(self, stored: rows.Columns | None) -> Iterator[Difference]:
        yield from self.differences
        if stored is None:
            if not self.is_gone:
                newest = max((event_id for _, event_id in self.columns.values()), default=0)
                yield "row removed", f"was removed; event {newest} has it."
        elif self.is_gone:
            yield "row inserted", "is there, though an event says that it was removed."
        else:
            for name, (left, _) in self.columns.items():
                is_private, key_id = name in self.kind.private, signatures.read_key_id(signature=left)
                if is_private and key_id and signatures.find_key(key_id=key_id) is None:
                    continue  # nobody can say
                found = rows.hide(kind=self.kind, column=name, value=stored.get(name), key_id=key_id)
                if found != left:
                    yield "row changed", f"has {_show(name, found)}: {self._describe(name)}."

    def _describe(self, name: str) -> str:
        value, event_id = self.columns[name]
        return f"{f'event {event_id} left' if event_id else 'the portal makes it with'} {_show('', value)}"


def _describe_group(*, name: str) -> dict[str, object] | None:
    """What one of the portal's own groups may do before an administrator changes it; None for another."""
    permissions: Mapping[str, tuple[str, ...]] = groups.PERMISSIONS
    if name not in permissions:
        return None
    return {"name": name, "permissions": sorted(f"portal.{codename}" for codename in permissions[name])}


@dataclass(kw_only=True)
class _Comparison:
    kind: rows.Kind
    report: Report

    def __post_init__(self) -> None:
        self._note_pruned()

    def _note_pruned(self) -> None:
        """Events that stayed though others of their time were pruned hold only a part: they are left out."""
        self._after_event = tombstones.find_start().last_id
        added = models.Change.objects.filter(kind=self.kind.name, act=_Act.ADDED, event_id__gt=self._after_event)
        self._lowest: int | None = added.aggregate(lowest=Min("row_id"))["lowest"]

    def list_next(self, after: int) -> list[int]:
        """The next ids, of rows that are gone too: events name them."""
        changed = models.Change.objects.filter(kind=self.kind.name, row_id__gt=after).order_by("row_id")
        present = self.kind.model._default_manager.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
        return sorted({*changed.values_list("row_id", flat=True).distinct()[:_PAGE], *present[:_PAGE]})[:_PAGE]

    def compare(self, ids: list[int]) -> None:
        self.report.rows += len(ids)
        for row_id in self._compare(ids):
            for kind, words in self._compare_steadily(row_id):
                self.report.add(kind, name_row(kind=self.kind.name, row_id=row_id), words)

    def _compare_steadily(self, row_id: int) -> list[Difference]:
        found: list[Difference] = []
        own = models.Change.objects.filter(kind=self.kind.name, row_id=row_id)
        for _ in range(_LOOKS):
            before = own.count()
            self._note_pruned()
            found = self._compare([row_id]).get(row_id, [])
            if not found or own.count() == before:
                break
        return found

    def _compare(self, ids: list[int]) -> dict[int, list[Difference]]:
        states, stored = self._read_states(ids), rows.read_rows(kind=self.kind, ids=ids)
        found = {row_id: list(self._judge(row_id, states.get(row_id), stored.get(row_id))) for row_id in ids}
        return {row_id: differences for row_id, differences in found.items() if differences}

    def _read_states(self, ids: list[int]) -> dict[int, _State]:
        found: dict[int, _State] = defaultdict(lambda: _State(kind=self.kind))
        own = models.Change.objects.filter(kind=self.kind.name, row_id__in=ids, event_id__gt=self._after_event)
        ordered = own.order_by("row_id", "event_id", "position")
        for row_id, event_id, act, text in canonical.read_rows(rows=ordered, names=_CHANGE):
            if event_id not in self.report.unfit:
                found[row_id].take(event_id, act, text)
        return found

    def _judge(self, row_id: int, state: _State | None, stored: rows.Columns | None) -> Iterator[Difference]:
        expected = _describe_group(name=str(stored["name"])) if stored and self.kind.name == "group" else None
        if state is None and expected is not None:
            # One that the portal makes with its tables is as the code says before an event has it.
            state = _State(kind=self.kind, columns={name: (value, 0) for name, value in expected.items()})
        if stored is not None and not expected and self._must_begin(state) and self._is_kept(row_id):
            yield "row inserted", "was not begun by an event: it was inserted outside the portal."
        elif state is None:
            self.report.not_judged += stored is not None
        else:
            yield from state.compare(stored)

    def _must_begin(self, state: _State | None) -> bool:
        """Whether an event should have begun the row, and none has. The first person comes with the set-up."""
        if self.kind.begins:
            return state is None or not state.begins
        is_later_person = self.kind.name == "person" and self._lowest is not None
        return state is None and (self.kind.name == "group" or is_later_person)

    def _is_kept(self, row_id: int) -> bool:
        """Whether the event that begins the row would still be there."""
        return self._after_event == reading.LOWEST or (self._lowest is not None and row_id > self._lowest)


def _show(name: str, value: object) -> str:
    text = write_json(value)
    return f"{name} {text if len(text) <= 80 else f'{text[:77]}...'}".strip()


def name_row(*, kind: str, row_id: int) -> str:
    return f"request R-{row_id}" if kind == "request" else f"{kind.replace('-', ' ')} {row_id}"
