"""The rows that the audit log has, in the log's own form: kind, id and audited columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.utils.text import camel_case_to_spaces

from portal import models
from portal.models.audited import Audited
from portal.services.audit import canonical, signatures

type Columns = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is audited of one kind of row. `lists`: the groups or permissions it has, each a list of names."""

    name: str
    model: type[Model]
    columns: tuple[str, ...]
    private: frozenset[str] = frozenset()
    begins: bool = False
    lists: tuple[str, ...] = ()


def _declare(model: type[Audited], name: str = "", *, lists: tuple[str, ...] = ()) -> Kind:
    """By default it is called as its class is: late-response."""
    name = name or camel_case_to_spaces(model.__name__).replace(" ", "-")
    return Kind(name=name, model=model, columns=model.AUDITED, private=model.PRIVATE, begins=model.BEGINS, lists=lists)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *map(_declare, (models.Request, models.Attempt, models.LateResponse, models.Workstation, models.Share)),
        *map(_declare, (models.Workspace, models.Account, models.Key, models.Credential, models.Database)),
        *map(_declare, (models.Restore, models.LostResponse)),
        _declare(models.User, "person", lists=("groups", "permissions")),
        *map(_declare, (models.Policy, models.Token)),
        Kind(name="group", model=Group, columns=("name",), lists=("permissions",)),
        *map(_declare, (models.Notice, models.WorkstationType, models.Tombstone)),
    )
}
_BY_MODEL = {kind.model: kind for kind in KINDS.values()}


def find_kind(*, row: Model) -> Kind | None:
    """None for a row that is not audited."""
    return _BY_MODEL.get(type(row))


def describe(*, kind: Kind, values: Mapping[str, Any]) -> Columns:
    """The columns as the log holds them, of values as an instance has them."""
    described = {}
    for name in kind.columns:
        if name in values:
            field: Any = kind.model._meta.get_field(name)
            value = canonical.convert_value(value=field.to_python(values[name]))
            described[name] = hide(kind=kind, column=name, value=value)
    return described


def hide(*, kind: Kind, column: str, value: object, key_id: str = "") -> object:
    """The value as the log holds it: a private one as a digest."""
    return signatures.digest(column=column, value=value, key_id=key_id) if column in kind.private else value


def read_rows(*, kind: Kind, ids: Iterable[int]) -> dict[int, Columns]:
    """The audited columns of these rows as JSON can hold them, by id."""
    found: dict[int, Columns] = {
        number: {name: canonical.convert_value(value=value) for name, value in zip(kind.columns, values, strict=True)}
        for number, *values in kind.model._base_manager.filter(pk__in=ids).values_list("pk", *kind.columns)
    }
    for number, lists in read_lists(kind=kind, ids=found).items():
        found[number] |= lists
    return found


def read_lists(*, kind: Kind, ids: Iterable[int]) -> dict[int, Columns]:
    """The names in the lists of these rows, such as a person's groups, by id."""
    lists: dict[int, dict[str, list[str]]] = {number: {name: [] for name in kind.lists} for number in ids}
    owner = str(kind.model._meta.model_name)
    for name in kind.lists:
        model, columns = (
            (Group, ["name"]) if name == "groups" else (Permission, ["content_type__app_label", "codename"])
        )
        own: Any = model._default_manager.filter(**{f"{owner}__in": lists}).order_by()
        for number, *words in own.values_list(owner, *columns):
            lists[number][name].append(".".join(words))
    return {number: {name: sorted(words) for name, words in own.items()} for number, own in lists.items()}
