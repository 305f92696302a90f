"""Contract drift: types, statuses, levels and fields that the provider's contract does not have, and those it lacks.

Nothing breaks by them: they are stored and shown as they came. But somebody has to know.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from django.db import transaction
from django.utils.translation import gettext as _

from portal import agentstation, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit, storable

_MOST_NUMBERS = 20
_MOST_KINDS, _MOST_NOTICES = 20, 500  # of one answer; in all: whoever makes up fields must not fill the record
_MORE = "more differences than are kept"
_LONGEST_KIND = 200
_LONGEST_TEXT, _LONGEST_EXAMPLE = 100, 4000  # characters
_DEEPEST = 4  # objects within objects of an example
_SECRET = re.compile("token|secret|passw|key|signature|credential|auth|session|cookie", re.IGNORECASE)
_NOT_SHOWN = "not shown"
_REFUSALS = (400, 401, 402, 422, 429, 500)  # whose bodies the contract describes; any other 503 may be a gateway's


class NotOpen(Exception):
    """Somebody has acknowledged the notice already; the message is fit for the person."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object of the contract: the fields it must have, those it may have, and the values of some."""

    must: frozenset[str]
    may: frozenset[str] = frozenset()
    values: Mapping[str, frozenset[str]]


type Differences = Mapping[str, Mapping[str, object]]  # by kind, with the first object that has it

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
    "list": Shape(
        must=frozenset(),
        may=frozenset({"object", "data", "next_cursor", "previous_cursor"}),
        values={"object": frozenset({"list"})},
    ),
    "error": Shape(must=frozenset({"error", "message"}), values={}),
    "release": Shape(must=frozenset({"type", "released"}), values={"type": _TYPES}),
    "type": Shape(must=frozenset({"id"}), may=frozenset({"description", "hardware", "software", "models"}), values={}),
}


def find_differences(*, workstation: Mapping[str, object]) -> Differences:
    """What differs from the contract in a workstation as it came, each kind with the first object that has it."""
    return _collect(_list_objects(workstation))


def _collect(objects: Iterable[tuple[str, Mapping[str, object]]]) -> Differences:
    found: dict[str, Mapping[str, object]] = {}
    for name, data in objects:
        for kind in _compare(name, data):
            found.setdefault(kind, data)
    return found


def _list_objects(workstation: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """As they came: what has no usable id is among them."""
    yield "workstation", workstation
    workspace = workstation.get("workspace")
    if isinstance(workspace, dict):
        yield "workspace", workspace
        for name in ("file", "log"):
            listed = workspace.get(f"{name}s")
            if isinstance(listed, dict):
                entries = listed.get("data")
                yield "list", {key: value for key, value in listed.items() if key != "data"}
                yield from ((name, entry) for entry in entries or () if isinstance(entry, dict))


def _compare(name: str, data: Mapping[str, object]) -> Iterator[str]:
    shape = CONTRACT[name]
    for key in sorted(data.keys() - shape.must - shape.may):
        yield f"{name} has a field {key}"
    for key in sorted(shape.must - {key for key, value in data.items() if value is not None}):
        yield f"{name} lacks {key}"
    for key, values in shape.values.items():
        if (value := data.get(key)) is not None and str(value) not in values:
            yield f"{name} has the {key} {value}"


def note_workstations(*, workstations: Iterable[Mapping[str, object]], request_number: int | None) -> None:
    """Note what differs in workstations as they came, in the caller's transaction."""
    objects = (found for workstation in workstations for found in _list_objects(workstation))
    _note(_collect(objects), request_number=request_number)


def note_pages(*, pages: Iterable[Mapping[str, object]]) -> None:
    """Note what differs in pages of lists beside their entries, in the caller's transaction."""
    _note(_collect(("list", page) for page in pages), request_number=None)


def note_oddity(*, kind: str, data: Mapping[str, object]) -> None:
    """Note something else that operators have to know, in the caller's transaction."""
    _note({kind: data}, request_number=None)


def note_answer(*, answer: agentstation.Answer, request_number: int | None) -> None:
    """Note what differs in the answer to a POST, or in a refusal of anything, in the caller's transaction."""
    _note(_find_in_answer(answer), request_number=request_number)


def note_release(*, data: Mapping[str, object], request_number: int | None) -> None:
    """Note what differs in the answer to a release, in the caller's transaction."""
    _note(_collect([("release", data)]), request_number=request_number)


def note_types(*, types: Iterable[Mapping[str, object]]) -> None:
    """Note what differs in the entries of the list of types, in the caller's transaction."""
    _note(_collect(("type", one) for one in types), request_number=None)


def _find_in_answer(answer: agentstation.Answer) -> Differences:
    document = None if answer.truncated else agentstation.read_json(answer.body)
    is_success, is_refusal = 200 <= answer.status < 300, answer.status in _REFUSALS
    if (is_success or is_refusal) and not isinstance(document, dict):
        return {f"the answer {answer.status} is no JSON object": {"status": answer.status}}
    if isinstance(document, dict) and is_success:
        return find_differences(workstation=document)
    if isinstance(document, dict) and is_refusal:
        return _collect([("error", document)])
    is_gateway = answer.status == 408 or answer.status >= 500
    return {} if is_gateway else {f"an answer has the HTTP status {answer.status}": {"status": answer.status}}


def _note(found: Differences, *, request_number: int | None) -> None:
    """Raise a notice for each kind that is new; of the known, remember the request."""
    expected = _list_expected() if found else set()
    kinds = [(kind, data) for kind, data in found.items() if kind not in expected]
    for kind, data in kinds[:_MOST_KINDS]:
        shown = storable.escape_text(kind)[:_LONGEST_KIND]
        if models.Notice.objects.count() >= _MOST_NOTICES and not models.Notice.objects.filter(kind=shown).exists():
            shown = _MORE
        notice, is_new = models.Notice.objects.get_or_create(
            kind=shown,
            defaults={"example": _write_example(data), "numbers": [request_number] if request_number else []},
        )
        if is_new:
            audit.record(Verb.NOTICE, notice, request_number=request_number)
        elif request_number and request_number not in notice.numbers and len(notice.numbers) < _MOST_NUMBERS:
            notice.numbers.append(request_number)
            notice.save(update_fields=["numbers"])


def _list_expected() -> set[str]:
    """What a type makes differ that the contract does not have and the provider's own list does."""
    listed = models.WorkstationType.objects.values_list("name", flat=True)
    return {f"{what} has the type {name}" for name in listed for what in ("workstation", "release")}


def _write_example(data: Mapping[str, object]) -> str:
    parts = {key: _redact(key, value) for key, value in data.items() if key not in ("workspace", "files", "logs")}
    return storable.escape_text(json.dumps(parts, ensure_ascii=False, indent=1, default=str))[:_LONGEST_EXAMPLE]


def _redact(name: str, value: object, depth: int = 1) -> object:
    """Without what may let whoever has it in: values whose names say so, and what follows an address's path."""
    if _SECRET.search(name):
        return _NOT_SHOWN
    match value:
        case dict() | list() if depth == _DEEPEST:
            return _NOT_SHOWN
        case dict():
            return {key: _redact(key, part, depth + 1) for key, part in list(value.items())[:_MOST_KINDS]}
        case list():
            return [_redact(name, part, depth + 1) for part in value[:_MOST_KINDS]]
        case str():
            return _shorten(value)
        case _:
            return value


def _shorten(text: str) -> str:
    if "://" in text:
        try:
            parts = urlsplit(text)
            text = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
        except ValueError:
            return "an address that cannot be read"
    return text[:_LONGEST_TEXT]


@transaction.atomic
def acknowledge_notice(*, actor: models.User, notice: models.Notice) -> None:
    """Note that somebody has seen it, so that it is shown no more. Raises NotOpen where somebody else was first."""
    open_ones = models.Notice.objects.filter(pk=notice.pk, acknowledged_at=None)
    if not open_ones.update(acknowledged_at=Now(), acknowledged_by=actor):
        raise NotOpen(_("Somebody has acknowledged this notice already."))
    change = audit.describe_moment(row=notice, column="acknowledged_at")
    audit.record(Verb.ACKNOWLEDGE, notice, by=actor, detail=change)
