"""Contract drift: notices of what the provider says that its contract doesn't have, or lacks. It breaks nothing."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from portal import agentstation, models
from portal.models.event import Verb
from portal.services import audit
from portal.services.mirrors import sanitize
from portal.services.runtime import hidden

_MOST_NUMBERS = 20
_MOST_KINDS, MOST_NOTICES = 20, 500  # of one response; in all: whoever makes up fields must not fill the audit log
_MORE = "more differences than are kept"
_LONGEST_KIND = 200
_LONGEST_EXAMPLE = 4000  # characters
_CONTENTS = ("workspace", "files", "logs", "data")  # which only their owners see


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
            notice.change(numbers=[*notice.numbers, request_number])


def _write_example(data: Mapping[str, object]) -> str:
    parts = {name: value for name, value in data.items() if name not in _CONTENTS}
    text = json.dumps(parts, ensure_ascii=False, default=str)[:_LONGEST_EXAMPLE]
    return sanitize.escape_text(hidden.hide(text=text))[:_LONGEST_EXAMPLE]
