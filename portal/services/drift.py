"""Contract drift: types, statuses, levels and fields that the provider's contract does not have, and those it lacks.

Nothing breaks by them: they are stored and shown as they came. But somebody has to know.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from django.db import transaction
from django.utils.translation import gettext as _

from portal import agentstation, models
from portal.models.clock import Now
from portal.services import audit, storable

_MOST_NUMBERS = 20
_LONGEST_KIND = 200
_LONGEST_TEXT, _LONGEST_EXAMPLE = 100, 4000  # characters


class NotOpen(Exception):
    """Somebody has acknowledged the notice already; the message is fit for the person."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object of the contract: the fields it must have, those it may have, and the values of some."""

    must: frozenset[str]
    may: frozenset[str] = frozenset()
    values: Mapping[str, frozenset[str]]


_TYPES = frozenset(models.Request.Type.values)
CONTRACT: Mapping[str, Shape] = {
    "workstation": Shape(
        must=frozenset({"id", "type", "status", "startedAt"}),
        may=frozenset({"workspace"}),
        values={"type": _TYPES, "status": frozenset({"active", "completed", "errored"})},
    ),
    "workspace": Shape(
        must=frozenset({"id", "status", "createdAt"}),
        may=frozenset({"files", "logs"}),
        values={"status": frozenset({"active", "archived"})},
    ),
    "file": Shape(must=frozenset({"id", "name", "url", "size", "createdAt"}), values={}),
    "log": Shape(
        must=frozenset({"id", "type", "level", "createdAt"}),
        may=frozenset({"url"}),
        values={"level": frozenset({"debug", "info", "warning", "error"})},
    ),
}


def find_differences(*, workstation: agentstation.Workstation) -> dict[str, Mapping[str, object]]:
    """What differs from the contract, each kind with the first object that has it."""
    found: dict[str, Mapping[str, object]] = {}
    for name, data in _list_objects(workstation):
        for kind in _compare(name, data):
            found.setdefault(kind, data)
    return found


def _list_objects(workstation: agentstation.Workstation) -> Iterator[tuple[str, Mapping[str, object]]]:
    yield "workstation", workstation.raw
    if (workspace := workstation.workspace) is not None:
        yield "workspace", workspace.raw
        yield from (("file", file.raw) for file in workspace.files)
        yield from (("log", log.raw) for log in workspace.logs)


def _compare(name: str, data: Mapping[str, object]) -> Iterator[str]:
    shape = CONTRACT[name]
    for key in data.keys() - shape.must - shape.may:
        yield f"{name} has a field {key}"
    for key in shape.must - {key for key, value in data.items() if value is not None}:
        yield f"{name} lacks {key}"
    for key, values in shape.values.items():
        if (value := data.get(key)) is not None and str(value) not in values:
            yield f"{name} has the {key} {value}"


def note_differences(*, workstation: agentstation.Workstation, request_number: int | None) -> None:
    """Raise a notice for each kind that is new, in the caller's transaction; of the known, remember the request."""
    for kind, data in find_differences(workstation=workstation).items():
        shown = storable.escape_text(kind)[:_LONGEST_KIND]
        notice, is_new = models.Notice.objects.get_or_create(
            kind=shown,
            defaults={"example": _write_example(data), "numbers": [request_number] if request_number else []},
        )
        if is_new:
            audit.record_event(actor=None, verb="notice", target=notice, request_number=request_number)
        elif request_number and request_number not in notice.numbers and len(notice.numbers) < _MOST_NUMBERS:
            notice.numbers.append(request_number)
            notice.save(update_fields=["numbers"])


def _write_example(data: Mapping[str, object]) -> str:
    parts = {key: _shorten(value) for key, value in data.items() if key not in ("workspace", "files", "logs")}
    return storable.escape_text(json.dumps(parts, ensure_ascii=False, indent=1, default=str))[:_LONGEST_EXAMPLE]


def _shorten(value: object) -> object:
    """Addresses without what follows the path, for that may let whoever has it in."""
    if not isinstance(value, str):
        return value if isinstance(value, int | float | bool | None) else json.dumps(value, default=str)[:_LONGEST_TEXT]
    if "://" in value:
        try:
            value = urlunsplit(urlsplit(value)._replace(query="", fragment=""))
        except ValueError:
            return "an address that cannot be read"
    return value[:_LONGEST_TEXT]


@transaction.atomic
def acknowledge_notice(*, actor: models.User, notice: models.Notice) -> None:
    """Note that somebody has seen it, so that it is shown no more. Raises NotOpen where somebody else was first."""
    open_ones = models.Notice.objects.filter(pk=notice.pk, acknowledged_at=None)
    if not open_ones.update(acknowledged_at=Now(), acknowledged_by=actor):
        raise NotOpen(_("Somebody has acknowledged this notice already."))
    audit.record_event(actor=actor, verb="acknowledge", target=notice)
