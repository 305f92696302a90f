"""What an event changes about rows: the audited columns before and after."""

from collections.abc import Iterable, Mapping

from django.db.models import Model

from portal import models
from portal.models.audited import Audited
from portal.services.audit import rows

type Columns = dict[str, list[object]]
_Act = models.Change.Act


def describe_changes(
    *, changed: Iterable[Model], gone: Iterable[Model], lists: Mapping[str, tuple[object, object]]
) -> list[models.Change]:
    """What is to be said of rows that were changed, as the instances have them, and of rows that go.

    `lists`: what changed in the lists of the first. Rows of other kinds are left out, and those without a change.
    """
    described = [_describe(row, lists=lists if place == 0 else {}) for place, row in enumerate(dict.fromkeys(changed))]
    # Of what goes, nothing that it held is kept.
    kinds = [(row, rows.find_kind(row=row)) for row in gone]
    removed = [models.Change(kind=kind.name, row_id=row.pk, act=_Act.REMOVED) for row, kind in kinds if kind]
    return [change for change in described if change] + removed


def _describe(row: Model, *, lists: Mapping[str, tuple[object, object]]) -> models.Change | None:
    kind = rows.find_kind(row=row)
    if kind is None:
        return None
    if isinstance(row, Audited):
        is_new, columns = _compare(row, kind=kind)
    else:
        is_new, columns = all(before is None for before, _ in lists.values()), {}
    columns |= {name: list(values) for name, values in lists.items()}
    act = _Act.ADDED if is_new else _Act.CHANGED
    return models.Change(kind=kind.name, row_id=row.pk, act=act, columns=columns) if columns else None


def _compare(row: Audited, *, kind: rows.Kind) -> tuple[bool, Columns]:
    """Whether the row is new, and its columns before and after: those that changed, or all where no event has it."""
    stored = row.stored
    before = {} if stored is None else rows.describe(kind=kind, values=stored)
    # What the database computed is not in the instance yet.
    if computed := [name for name in kind.columns if hasattr(row.__dict__.get(name), "resolve_expression")]:
        row.refresh_from_db(fields=computed)
    after = rows.describe(kind=kind, values=row.__dict__)
    row.note_recorded()
    if stored is None:
        return True, {name: [None, value] for name, value in after.items()}
    if not kind.begins and not models.Change.objects.filter(kind=kind.name, row_id=row.pk).exists():
        (found,) = rows.read_rows(kind=kind, ids=[row.pk]).values()
        after = {name: rows.hide(kind=kind, column=name, value=value) for name, value in found.items()}
        return False, {name: [before.get(name, value), value] for name, value in after.items()}
    pairs = {name: [before.get(name), value] for name, value in after.items()}
    return False, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
