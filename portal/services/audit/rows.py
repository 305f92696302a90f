"""The rows that the audit log tells of, in the log's own form: kind, id and audited columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Model

from portal import models
from portal.models.audited import Audited
from portal.services.audit import canonical, signatures

type Columns = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of row: what of it is audited. `lists`: of whom or what it may, each a list of names."""

    name: str
    model: type[Model]
    columns: tuple[str, ...]
    private: frozenset[str] = frozenset()
    begins: bool = False
    lists: tuple[str, ...] = ()


def _declare(name: str, model: type[Audited], *, lists: tuple[str, ...] = ()) -> Kind:
    return Kind(name=name, model=model, columns=model.AUDITED, private=model.PRIVATE, begins=model.BEGINS, lists=lists)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _declare("request", models.Request),
        _declare("attempt", models.Attempt),
        _declare("late-response", models.LateResponse),
        _declare("workstation", models.Workstation),
        _declare("share", models.Share),
        _declare("workspace", models.Workspace),
        _declare("account", models.Account),
        _declare("key", models.Key),
        _declare("credential", models.Credential),
        _declare("database", models.Database),
        _declare("restore", models.Restore),
        _declare("stray-response", models.StrayResponse),
        _declare("person", models.User, lists=("groups", "permissions")),
        Kind(name="group", model=Group, columns=("name",), lists=("permissions",)),
        _declare("notice", models.Notice),
        _declare("workstation-type", models.WorkstationType),
        _declare("tombstone", models.Tombstone),
    )
}
_BY_MODEL = {kind.model: kind for kind in KINDS.values()}


def find_kind(*, row: Model) -> Kind | None:
    """What is audited of the row; None where nothing is."""
    return _BY_MODEL.get(type(row))


def describe(*, kind: Kind, values: Mapping[str, Any]) -> Columns:
    """The columns as the log holds them, of values as an instance has them."""
    described = {}
    for name in kind.columns:
        if name in values:
            value = canonical.find_field(model=kind.model, name=name).to_python(values[name])
            described[name] = hide(kind=kind, column=name, value=canonical.fit(value=value))
    return described


def hide(*, kind: Kind, column: str, value: object, key_id: str = "") -> object:
    """The value as the log holds it: a private one as a digest."""
    return signatures.digest(column=column, value=value, key_id=key_id) if column in kind.private else value


def read_rows(*, kind: Kind, ids: Iterable[int]) -> dict[int, Columns]:
    """The rows that are there, as they are stored: private values too."""
    wanted = list(ids)
    where = f"id IN ({', '.join(['%s'] * len(wanted))})"
    stored = canonical.read_rows(model=kind.model, names=("id", *kind.columns), where=where, values=wanted)
    found: dict[int, Columns] = {row[0]: dict(zip(kind.columns, row[1:], strict=True)) for row in stored}
    for number, lists in read_lists(kind=kind, ids=found).items():
        found[number] |= lists
    return found


def read_lists(*, kind: Kind, ids: Iterable[int]) -> dict[int, Columns]:
    """The groups and permissions of people, the permissions of groups, each by name and in order."""
    wanted = list(ids)
    lists: dict[int, Columns] = {number: {name: [] for name in kind.lists} for number in wanted} if kind.lists else {}
    if "groups" in kind.lists:
        named = Group.objects.filter(user__in=wanted).order_by("name").values_list("user", "name")
        for number, name in canonical.read_anyhow(read=lambda: list(named)):
            lists[number]["groups"].append(name)  # type: ignore[attr-defined]
    if "permissions" in kind.lists:
        owner = "user" if kind.model is models.User else "group"
        granted = Permission.objects.filter(**{f"{owner}__in": wanted}).order_by()
        by_name = granted.values_list(owner, "content_type__app_label", "codename")
        for number, app, codename in canonical.read_anyhow(read=lambda: list(by_name)):
            lists[number]["permissions"].append(f"{app}.{codename}")  # type: ignore[attr-defined]
    return {number: {name: sorted(names) for name, names in own.items()} for number, own in lists.items()}  # type: ignore[call-overload]
