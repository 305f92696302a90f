"""What an event changed, as a reader of the audit log sees it: each row with its columns before and after."""

import json
from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from portal import models
from portal.services.audit import signatures

_NONE = "–"
_LONGEST = 200


def show_changes(changes: Iterable[models.Change]) -> SafeString | str:
    """All of them, row by row."""
    shown = format_html_join("", "<li>{} {} {}{}</li>", (_list_parts(change) for change in changes))
    return format_html('<ul class="changes">{}</ul>', shown) if shown else _NONE


def _list_parts(change: models.Change) -> tuple[object, ...]:
    kind = change.kind.replace("-", " ")
    return kind, change.row_id, change.get_act_display(), _show_columns(change)


def _show_columns(change: models.Change) -> SafeString:
    """What differs; where nothing does, what the event tells of a row that was there before."""
    lines = [(name, f"{_show(before)} → {_show(after)}") for name, before, after in change.differences]
    lines = lines or [(name, _show(after)) for name, (_, after) in change.columns.items()]
    shown = format_html_join("", "<li>{}: {}</li>", lines)
    return format_html("<ul>{}</ul>", shown) if shown else shown


def _show(value: object) -> str:
    if value is None or value == "":
        return _NONE
    if signatures.read_key_id(digest=value):
        return "(not shown)"
    return Truncator(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).chars(_LONGEST)
