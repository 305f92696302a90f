"""Verifying rows: is each as the newest change of each of its columns says?

Kind by kind, in ranges of ids, so that memory stays the same however many there are. The portal may run meanwhile:
what seems wrong is looked at again until no event has come between.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Min, QuerySet

from portal import models
from portal.models import groups
from portal.models.canonical_json import write_json
from portal.services.audit import reading, rows, signatures, tombstones
from portal.services.audit.report import Report

_PAGE = 500  # rows at once
_Act = models.Change.Act

type Difference = tuple[str, str]  # a finding's kind and words
type _Left = dict[str, tuple[object, int]]  # of each column the value, and the event that left it so


def compare_rows(*, report: Report, on_step: Callable[[], None]) -> None:
    """Compare all audited rows with their last changes, a page at a time; `on_step` is called after each page."""
    for kind in rows.KINDS.values():
        comparison, after = Comparison(kind=kind, report=report), reading.LOWEST
        while page := comparison.list_next(after):
            comparison.compare(page)
            after = page[-1]
            on_step()


@dataclass(kw_only=True)
class Comparison:
    kind: rows.Kind
    report: Report

    def __post_init__(self) -> None:
        """Events that stayed though others of their time were pruned hold only a part: they are left out."""
        self._start = tombstones.find_start().last_id
        added = self._changes.filter(act=_Act.ADDED, event_id__gt=self._start)
        self._lowest: int | None = added.aggregate(lowest=Min("row_id"))["lowest"]

    @property
    def _changes(self) -> QuerySet[models.Change]:
        return models.Change.objects.filter(kind=self.kind.name)

    def list_next(self, after: int) -> list[int]:
        """The next ids, of rows that are gone too: events name them."""
        changed = self._changes.filter(row_id__gt=after).order_by("row_id").values_list("row_id", flat=True)
        present = self.kind.model._default_manager.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
        return sorted({*changed.distinct()[:_PAGE], *present[:_PAGE]})[:_PAGE]

    def compare(self, ids: list[int]) -> None:
        """Compare these rows, again where an event came meanwhile, and report what differs."""
        self.report.rows += len(ids)
        for row_id, found in self._find(ids).items():
            seen = -1
            # Until no event has come during a look.
            while found and seen != (seen := self._changes.filter(row_id=row_id).count()):
                found = Comparison(kind=self.kind, report=self.report)._find([row_id])[row_id]
            for kind, words in found:
                self.report.add(kind, name_row(kind=self.kind.name, row_id=row_id), words)

    def _find(self, ids: list[int]) -> dict[int, list[Difference]]:
        changes = defaultdict[int, list[models.Change]](list)
        for change in self._changes.filter(row_id__in=ids, event_id__gt=self._start).order_by("event_id", "position"):
            if f"event {change.event_id}" not in self.report.unfit:
                changes[change.row_id].append(change)
        stored = rows.read_rows(kind=self.kind, ids=ids)
        return {row_id: self._judge(row_id, changes[row_id], stored.get(row_id)) for row_id in ids}

    def _judge(self, row_id: int, changes: Sequence[models.Change], stored: rows.Columns | None) -> list[Difference]:
        acts, left = [change.act for change in changes], self._begin(changes, stored or {})
        is_known, is_gone = bool(acts or left), acts[-1:] == [_Act.REMOVED]
        found = list(self._follow(changes, left))
        if stored is None:
            if is_known and not is_gone:
                found.append(("row removed", f"was removed; event {changes[-1].event_id} has it."))
        elif self._must_begin(row_id) and not (_Act.ADDED in acts if self.kind.begins else is_known):
            return [("row inserted", "was not begun by an event: it was inserted outside the portal.")]
        elif is_gone:
            found.append(("row inserted", "is there, though an event says that it was removed."))
        else:
            self.report.not_judged += not is_known
            for name, (value, _) in left.items():
                key_id = signatures.read_key_id(signature=value)
                value = rows.hide(kind=self.kind, column=name, value=stored.get(name), key_id=key_id)
                found += self._compare(name, value, left, "has {}")
        return found

    def _must_begin(self, row_id: int) -> bool:
        """Whether an event begins such a row, and would still be there. The first person comes with the set-up."""
        is_kept = self._start == reading.LOWEST or (self._lowest is not None and row_id > self._lowest)
        is_later_person = self.kind.name == "person" and self._lowest is not None
        return is_kept and (self.kind.begins or self.kind.name == "group" or is_later_person)

    def _begin(self, changes: Sequence[models.Change], stored: rows.Columns) -> _Left:
        """What one of the portal's own groups may do before an administrator changes it; nothing of other rows."""
        name = changes[0].columns.get("name", [None])[0] if changes else stored.get("name")
        own = dict(groups.PERMISSIONS).get(str(name)) if self.kind.name == "group" else None
        return {"name": (name, 0), "permissions": (sorted(f"portal.{one}" for one in own), 0)} if own else {}

    def _follow(self, changes: Sequence[models.Change], left: _Left) -> Iterator[Difference]:
        """What was there before each change must be what the change before it has left."""
        for change in changes:
            for name, (before, after) in change.columns.items():
                if change.act == _Act.CHANGED and name in left:
                    yield from self._compare(name, before, left, f"had {{}} before event {change.event_id}")
                left[name] = after, change.event_id

    def _compare(self, name: str, value: object, left: _Left, words: str) -> Iterator[Difference]:
        """Of digests with two keys nobody can say."""
        expected, event_id = left[name]
        key_ids = {signatures.read_key_id(signature=one) for one in (value, expected)} - {""}
        if value != expected and not (name in self.kind.private and len(key_ids) == 2):
            author = f"event {event_id} left" if event_id else "the portal makes it with"
            yield "row changed", f"{words.format(f'{name} {_show(value)}')}: {author} {_show(expected)}."


def _show(value: object) -> str:
    text = write_json(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def name_row(*, kind: str, row_id: int) -> str:
    """What a finding calls the row."""
    return f"request R-{row_id}" if kind == "request" else f"{kind.replace('-', ' ')} {row_id}"
