"""Contract drift: types, statuses, levels and fields that the provider's contract does not have, and those it lacks.

The client finds them. Nothing breaks by them: they are stored and shown as they came. But somebody has to know.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal import agentstation, models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.mirrors import sanitize
from portal.services.runtime import hidden

_MOST_NUMBERS = 20
_MOST_KINDS, MOST_NOTICES = 20, 500  # of one response; in all: whoever makes up fields must not fill the audit log
_MORE = "more differences than are kept"
_LONGEST_KIND = 200
_LONGEST_TEXT, _LONGEST_EXAMPLE = 100, 4000  # characters
_DEEPEST, _MOST_PARTS = 4, 100  # objects within objects of an example; fields of it
_CONTENTS = ("workspace", "files", "logs", "data")
_NOT_SHOWN = "not shown"


class NotOpen(Exception):
    """Somebody has acknowledged the notices already; the message is fit for the person."""


def note_deviations(*, deviations: Iterable[agentstation.Deviation], request_number: int | None = None) -> None:
    """Raise a notice for each kind that is new, in the caller's transaction; of the known, remember the request."""
    found: dict[str, Mapping[str, object]] = {}
    for deviation in deviations:
        found.setdefault(deviation.kind, deviation.example)
    # What a type makes differ that the contract does not have and the provider's own list does.
    listed = models.WorkstationType.objects.values_list("name", flat=True) if found else ()
    expected = {f"{what} has the type {name}" for name in listed for what in ("workstation", "release")}
    kinds = [kind for kind in found if kind not in expected]
    for kind in kinds[:_MOST_KINDS]:
        shown = sanitize.escape_text(hidden.hide(text=kind))[:_LONGEST_KIND]
        if models.Notice.objects.count() >= MOST_NOTICES and not models.Notice.objects.filter(kind=shown).exists():
            shown = _MORE
        example = partial(_write_example, found[kind])  # called where it is new
        defaults: dict[str, Any] = {"example": example, "numbers": [request_number] if request_number else []}
        notice, is_new = models.Notice.objects.get_or_create(kind=shown, defaults=defaults)
        if is_new:
            audit.record(Verb.NOTICE, notice, request_number=request_number)
        elif request_number and request_number not in notice.numbers and len(notice.numbers) < _MOST_NUMBERS:
            notice.numbers.append(request_number)
            notice.save(update_fields=["numbers"])


def _write_example(data: Mapping[str, object]) -> str:
    parts = {key: _cut(value) for key, value in islice(data.items(), _MOST_PARTS) if key not in _CONTENTS}
    text = hidden.hide(text=json.dumps(parts, ensure_ascii=False, indent=1, default=str))
    return sanitize.escape_text(text)[:_LONGEST_EXAMPLE]


def _cut(value: object, depth: int = 1) -> object:
    match value:
        case dict() | list() if depth == _DEEPEST:
            return _NOT_SHOWN
        case dict():
            return {key: _cut(part, depth + 1) for key, part in islice(value.items(), _MOST_KINDS)}
        case list():
            return [_cut(part, depth + 1) for part in value[:_MOST_KINDS]]
        case str():
            return value[:_LONGEST_TEXT]
        case _:
            return value


@transaction.atomic
def acknowledge_notices(*, actor: models.User, numbers: Collection[int]) -> int:
    """Note that somebody has seen them, so that they are shown no more. Returns how many were open until now.

    Raises NotOpen where none was.
    """
    open_ones = models.Notice.objects.filter(acknowledged_at=None)
    count = 0
    for notice in open_ones.filter(pk__in=numbers).order_by("pk"):
        if notice.update_where(open_ones, acknowledged_at=Now(), acknowledged_by=actor):
            change = audit.describe_moment(row=notice, column="acknowledged_at")
            audit.record(Verb.ACKNOWLEDGE, notice, by=actor, detail=change)
            count += 1
    if not count:
        raise NotOpen(_("Somebody has already marked this as reviewed."))
    return count
