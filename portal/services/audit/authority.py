"""Who might do what, by what the log itself tells of people and groups: no right that SQL gave for a moment is there.

The portal signs what somebody does while a row says that they may. The log says whether that right was ever given.
"""

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from portal import models
from portal.models import groups
from portal.models.event import Verb
from portal.services.audit import canonical, changes, fold, owners, reading, required, rows
from portal.services.audit.report import Report
from portal.services.audit.signatures import Verdict

# Whoever may close the requests of others may do the like with workstations, but for this.
_OWN = (Verb.SHARE, Verb.END_SHARE, Verb.SUBMIT, Verb.NAME_WORKSPACE)
# Whoever lost a right while they used it may have the later number: so many events may lie between.
_MOST_BETWEEN = 100
_AS_OF, _ACT, _COLUMNS = (canonical.CHANGE.names.index(name) for name in ("as_of", "act", "columns"))
_ROW_ID = canonical.CHANGE.names.index("row_id")
_Act = models.Change.Act

type _Changes = Sequence[canonical.Row]


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """What somebody was called, and what they might do."""

    name: object
    rights: frozenset[str]


@dataclass(kw_only=True)
class Authority:
    """What the log tells of people and groups: read when it is first asked, and again for events that came later."""

    _until: int = reading.LOWEST
    _whole_from: int = reading.LOWEST  # what was told before that may have been pruned
    _first_person: int = reading.LOWEST  # the event that told of the first one
    _people: dict[int, list[canonical.Row]] = field(default_factory=dict)
    _groups: _Changes = ()
    _standings: dict[tuple[int, int, int], _Standing] = field(default_factory=dict)

    def check_event(self, *, report: Report, event: reading.StoredEvent) -> None:
        """Report an act that its actor was not allowed, or did under another name, as far as the log tells."""
        actor, name = event.read("actor_id"), event.read("actor_name")
        if not isinstance(actor, int):
            return
        if event.id > self._until:
            self._read()
        # The log did not tell of people yet, or what it told may have been pruned.
        is_first = event.id <= self._first_person and not _take_before(self._people[actor], event.id)
        if is_first or event.id <= self._whole_from:
            return
        standings = [self._find_standing(actor, before=event.id - back) for back in (0, _MOST_BETWEEN)]
        rights = frozenset[str]().union(*(standing.rights for standing in standings))
        needed = required.find_right(verb=str(event.read("verb")), number=event.read("request_number"), actor=actor)
        if name not in [standing.name for standing in standings]:
            report.add(
                "not allowed", f"event {event.id}", f"is of {name}, which nobody was called then, as the log has it."
            )
        elif needed and not rights & {needed, required.SUPERUSER}:
            words = f"is of {name}, who could not do that then, as the log has it: it needs {needed}."
            report.add("not allowed", f"event {event.id}", words)
        elif (
            event.read("verb") in _OWN or not rights & {required.CLOSE, required.SUPERUSER}
        ) and owners.concerns_anothers(event=event, actor=actor, earlier=event.id - _MOST_BETWEEN):
            words = f"is of {name}, and about what was somebody else's then, as the log has it."
            report.add("not allowed", f"event {event.id}", words)

    def _read(self) -> None:
        self._until, self._standings = reading.find_newest(), {}
        people, self._groups = (_read_changes(kind) for kind in ("person", "group"))
        self._people = defaultdict(list)
        for change in people:
            self._people[change[_ROW_ID]].append(change)
        kept = [change[_AS_OF] for change in (*people, *self._groups) if change[_ACT] == _Act.KEPT]
        self._whole_from = max(kept, default=reading.LOWEST)
        self._first_person = min(
            (change[_AS_OF] for change in people if change[_ACT] in (_Act.ADDED, _Act.KEPT)), default=self._until
        )

    def _find_standing(self, actor: int, *, before: int) -> _Standing:
        person, of_groups = _take_before(self._people[actor], before), _take_before(self._groups, before)
        key = (actor, len(person), len(of_groups))
        if key in self._standings:
            return self._standings[key]
        state: Mapping[str, Any] = fold.Fold(kind=rows.KINDS["person"]).take_all(person).columns
        rights: set[str] = set()
        if state.get("is_active"):
            granted = _list_granted(of_groups)
            rights.update(state.get("permissions", ()), *(granted.get(name, ()) for name in state.get("groups", ())))
            rights |= {required.SUPERUSER} if state.get("is_superuser") else set()
        self._standings[key] = _Standing(name=state.get("username"), rights=frozenset(rights))
        return self._standings[key]


def _read_changes(kind: str) -> _Changes:
    told = canonical.read_rows(form=canonical.CHANGE, where="kind = %s", values=[kind], limit=canonical.NO_LIMIT)
    own = [change for change in told if changes.check_change(row=change) is Verdict.AUTHENTIC]
    return sorted(own, key=itemgetter(_AS_OF))


def _take_before(told: _Changes, number: int) -> _Changes:
    return told[: bisect.bisect_left(told, number, key=itemgetter(_AS_OF))]


def _list_granted(of_groups: _Changes) -> dict[str, Sequence[str]]:
    """What each group allows, by its name: as the code has it, until an event tells otherwise."""
    granted: dict[str, Sequence[str]] = {
        name: [f"portal.{one}" for one in codenames] for name, codenames in groups.PERMISSIONS.items()
    }
    by_group: dict[int, list[canonical.Row]] = defaultdict(list)
    for change in of_groups:
        by_group[change[_ROW_ID]].append(change)
    for told in by_group.values():
        former, _ = told[0][_COLUMNS].get("name", (None, None))
        granted.pop(str(former), None)
    for told in by_group.values():
        state = fold.Fold(kind=rows.KINDS["group"]).take_all(told)
        if not state.is_gone:
            granted[str(state.columns["name"])] = state.columns["permissions"]  # type: ignore[assignment]
    return granted
