"""Verifying rows: is each what the sum of its changes says?

Kind by kind, in ranges of ids, so that memory stays the same however many there are. The portal may run meanwhile:
what seems wrong is looked at again until no event has come between.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from django.contrib.auth.models import Group

from portal import models
from portal.services.audit import canonical, changes, fold, groups, rows
from portal.services.audit.report import KEY, Report
from portal.services.audit.signatures import Verdict

LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_PAGE = 500  # rows at once
_LOOKS = 5  # at what changes while it is looked at
_NUMBER = re.compile("(?:R-)?([0-9]{1,18})")
# Of these each begins with an event, but for those that a migration or a test makes before any event adds one.
_ADDED = ("person", "group")

# What is empty in a row until an event fills it.
_BY_EVENT = {
    "workspace": ("owner_id",),
    "workstation": ("request_id", "made_for_id", "release_requested_at", "release_requested_by_id"),
    "account": ("retired_at",),
}


def compare_rows(*, report: Report, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Report every row that is not as events have left it. `on_progress` hears which request of which."""
    newest = models.Request.objects.order_by("-id").values_list("id", flat=True).first() or 0
    for name in rows.KINDS:
        after: int | None = LOWEST
        while after is not None and (after := compare_next(report=report, kind=name, after=after)) is not None:
            if on_progress is not None and name == "request":
                on_progress(min(after, newest), newest)


def compare_next(*, report: Report, kind: str, after: int) -> int | None:
    """Report what is wrong with the next rows of the kind, by id. Returns the last id; None where none is left."""
    told = models.Change.objects.filter(kind=kind, row_id__gt=after, row_id__lte=_HIGHEST).order_by("row_id")
    present = rows.KINDS[kind].model._default_manager.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    # Rows that are gone too: events tell of them.
    page: list[int] = sorted({*told.values_list("row_id", flat=True).distinct()[:_PAGE], *present[:_PAGE]})[:_PAGE]
    if not page:
        return None
    compare_chosen(report=report, kind=kind, ids=page)
    return page[-1]


def compare_chosen(*, report: Report, kind: str, ids: list[int]) -> None:
    """Report what is wrong with these rows."""
    audited = rows.KINDS[kind]
    differing = sorted({row_id for row_id, _ in _compare_page(audited, ids)})
    for row_id, (found, words) in ((each, one) for each in differing for one in _compare_steadily(audited, each)):
        what = name_row(kind=kind, row_id=row_id)
        if found == KEY:
            report.add_key(words, what)
        else:
            report.add(found, what, words)


def find_differing(*, kind: str, ids: Iterable[int]) -> set[int]:
    """Which of these rows are not as events have left them."""
    wanted = sorted(ids)
    found: set[int] = set()
    for start in range(0, len(wanted), _PAGE):
        page = wanted[start : start + _PAGE]
        found |= {row_id for row_id, _ in _compare_page(rows.KINDS[kind], page)}
    return found


def _compare_steadily(kind: rows.Kind, row_id: int) -> list[fold.Difference]:
    """The differences of one row, seen while no event about it came between."""
    found: list[fold.Difference] = []
    for _ in range(_LOOKS):
        before = _count_changes(kind, row_id)
        found = [difference for _, difference in _compare_page(kind, [row_id])]
        if not found or _count_changes(kind, row_id) == before:
            break
    return found


def _count_changes(kind: rows.Kind, row_id: int) -> int:
    return models.Change.objects.filter(kind=kind.name, row_id=row_id).count()


def _compare_page(kind: rows.Kind, ids: list[int]) -> Iterator[tuple[int, fold.Difference]]:
    told, unreadable = _read_changes(kind, ids)
    stored = rows.read_rows(kind=kind, ids=ids)
    for row_id in ids:
        if row_id in unreadable:
            yield row_id, (KEY, unreadable[row_id])
            continue
        state = fold.Fold(kind=kind).take_all(told.get(row_id, ()))
        if not state.is_told:
            if difference := _judge_untold(kind, row_id, stored.get(row_id)):
                yield row_id, difference
            continue
        for difference in state.compare(stored.get(row_id)):
            yield row_id, difference
        # Pruning takes the event by which a row began, and says anew what the row was.
        begins = state.begins or any(change[4] == models.Change.Act.KEPT for change in told[row_id])
        if kind.begins and not begins and row_id in stored:
            yield row_id, ("row inserted", "was not begun by an event that the portal wrote.")


def read_changes(*, kind: rows.Kind, ids: list[int]) -> dict[int, list[canonical.Row]]:
    """What authentic changes say of these rows, by their ids."""
    return _read_changes(kind, ids)[0]


def _read_changes(kind: rows.Kind, ids: list[int]) -> tuple[dict[int, list[canonical.Row]], dict[int, str]]:
    """What differs, and those rows of which something was said under a key that is missing, with its id."""
    found: dict[int, list[canonical.Row]] = defaultdict(list)
    unreadable: dict[int, str] = {}
    places = ", ".join(["%s"] * len(ids))
    where = f"kind = %s AND row_id IN ({places})"
    for change in canonical.read_rows(
        form=canonical.CHANGE, where=where, values=[kind.name, *ids], limit=canonical.NO_LIMIT
    ):
        verdict, key_id = changes.check_change(row=change), str(change[-1]).partition(":")[0]
        if verdict is Verdict.AUTHENTIC:
            found[change[3]].append(change)
        # A key that no seal names was made up: what it is to have signed counts as forged.
        elif verdict is Verdict.UNKNOWN_KEY and models.Seal.objects.filter(key_id=key_id).exists():
            unreadable[change[3]] = key_id
    return found, unreadable


def _judge_untold(kind: rows.Kind, row_id: int, stored: rows.Columns | None) -> fold.Difference | None:
    """What is wrong with a row of which no event tells."""
    if stored is None:
        return None
    acts = models.Change.Act
    # What pruning tells anew of a person was told by an event that added them; groups may come from a migration.
    begun = (acts.ADDED, acts.KEPT) if kind.name == "person" else (acts.ADDED,)
    added = models.Change.objects.filter(kind=kind.name, act__in=begun)
    is_late = kind.begins or (kind.name in _ADDED and added.filter(row_id__lt=row_id).exists())
    # The first person comes with the set-up, and ids can be chosen: after that none comes without an event.
    if is_late or (kind.name == "person" and added.exists()):
        return "row inserted", "is in no event: it was inserted outside the portal."
    if kind.model is Group:
        expected = groups.describe_group(name=str(stored["name"]))
        if expected is None:
            return "row inserted", "is in no event, and the portal does not make it."
        state = fold.Fold(kind=kind, columns=expected, by=dict.fromkeys(expected, 0))
        return next(state.compare(stored), None)
    for name in _BY_EVENT.get(kind.name, ()):
        if stored[name] is not None:
            return (
                "row inserted",
                f"has {name} {canonical.encode(row=[stored[name]]).decode()[1:-1]}, of which no event tells.",
            )
    return None


def name_row(*, kind: str, row_id: int) -> str:
    """The row as a finding names it."""
    return f"request R-{row_id}" if kind == "request" else f"{kind.replace('-', ' ')} {row_id}"


def find_row(*, what: str) -> tuple[rows.Kind, int] | None:
    """The row that a finding names so; None where it names something else."""
    name, _, number = what.rpartition(" ")
    kind = rows.KINDS.get(name.replace(" ", "-"))
    match = _NUMBER.fullmatch(number)
    return (kind, int(match[1])) if kind and match else None
