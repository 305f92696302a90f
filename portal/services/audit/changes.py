"""What an event changes about rows: the audited columns before and after, each row's signed by itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Model

from portal import models
from portal.models.audited import Audited
from portal.services.audit import canonical, rows, signatures

type Columns = dict[str, tuple[object, object]]
_WHAT = "change"
_MOST_FORGED = 20  # changes of a row that are looked at for one that the portal has written


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one event says of one row. `as_of`: of which event that is so; 0 for the one that says it."""

    kind: str
    row_id: int
    act: str
    columns: Columns
    as_of: int = 0


def describe_changes(
    *, changed: Iterable[Model], gone: Iterable[Model], lists: Mapping[str, tuple[object, object]]
) -> list[Change]:
    """What is to be said of rows that were changed, as the instances have them, and of rows that go.

    `lists`: what changed in the lists of the first. Rows of other kinds are left out, and those without a change.
    """
    described = []
    for place, row in enumerate(dict.fromkeys(changed)):
        change = _describe(row, lists=lists if place == 0 else {})
        if change is not None:
            described.append(change)
    # Of what goes, nothing that it held is kept.
    return described + [
        Change(kind=kind.name, row_id=row.pk, act=models.Change.Act.REMOVED, columns={})
        for row in gone
        if (kind := rows.find_kind(row=row)) is not None
    ]


def _describe(row: Model, *, lists: Mapping[str, tuple[object, object]]) -> Change | None:
    kind = rows.find_kind(row=row)
    if kind is None:
        return None
    is_new, columns = _compare(row, kind=kind) if isinstance(row, Audited) else (False, {})
    columns |= lists
    if not columns:
        return None
    is_new |= not isinstance(row, Audited) and all(was is None for was, _ in columns.values())
    act = models.Change.Act.ADDED if is_new else models.Change.Act.CHANGED
    return Change(kind=kind.name, row_id=row.pk, act=act, columns=columns)


def _is_told(kind: rows.Kind, row_id: int) -> bool:
    """Whether an event has told of the row. Where the first few that say so are forged, it is told once more."""
    where, values = "kind = %s AND row_id = %s", [kind.name, row_id]
    told = canonical.read_rows(form=canonical.CHANGE, where=where, values=values, limit=_MOST_FORGED)
    return any(check_change(row=change) is signatures.Verdict.AUTHENTIC for change in told)


def _compare(row: Audited, *, kind: rows.Kind) -> tuple[bool, Columns]:
    """Whether the row is new, and its columns before and after: those that changed, or all where no event has told of
    it yet."""
    stored = row.stored
    before = {} if stored is None else rows.describe(kind=kind, values=stored)
    # What the database computed is not in the instance yet.
    if computed := [name for name in kind.columns if hasattr(row.__dict__.get(name), "resolve_expression")]:
        row.refresh_from_db(fields=computed)
    after = rows.describe(kind=kind, values=row.__dict__)
    row.note_recorded()
    if stored is not None and not kind.begins and not _is_told(kind, row.pk):
        (found,) = rows.read_rows(kind=kind, ids=[row.pk]).values()
        after = {name: rows.hide(kind=kind, column=name, value=value) for name, value in found.items()}
        return False, {name: (before.get(name, value), value) for name, value in after.items()}
    columns = {name: (before.get(name), value) for name, value in after.items()}
    return stored is None, {
        name: values for name, values in columns.items() if stored is None or values[0] != values[1]
    }


def sign_changes(*, event_id: int, changes: Iterable[Change]) -> list[models.Change]:
    """The rows that hold them, not stored yet."""
    signed = []
    for position, change in enumerate(changes):
        row = models.Change(
            event_id=event_id,
            position=position,
            kind=change.kind,
            row_id=change.row_id,
            act=change.act,
            as_of=change.as_of or event_id,
            columns={name: list(values) for name, values in change.columns.items()},
        )
        values = [event_id, position, row.kind, row.row_id, str(row.act), row.as_of, row.columns]
        row.signature = signatures.sign(what=_WHAT, values=values)
        signed.append(row)
    return signed


def check_change(*, row: canonical.Row) -> signatures.Verdict:
    """Whether the portal has written the change as it is stored."""
    return signatures.check(signature=row[-1], what=_WHAT, values=row[:-1])


def sign_stored(*, row: canonical.Row) -> str:
    """The signature that its event must name, of the key that the stored one names; empty where that is not known."""
    return row[-1] if check_change(row=row) is signatures.Verdict.AUTHENTIC else ""
