"""What events changed, as a reader of the audit log sees it: rows with their columns before and after, in words."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, Field, ForeignKey
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext

from portal import models
from portal.admin.base import columns
from portal.services.audit import rows, signatures
from portal.services.search import periods
from portal.templatetags import ui

type People = Mapping[int, str]
type Shown = SafeString | str

_LONGEST = 200


def show_changes(changes: Iterable[models.Change]) -> Shown:
    """The changes of events as a list: each with its row and its columns."""
    listed = list(changes)
    people = read_people(listed)
    lines = (
        (change.kind.replace("-", " "), change.row_id, change.get_act_display(), show_columns(change, people))
        for change in listed
    )
    shown = format_html_join("", "<li>{} {} {}{}</li>", lines)
    return format_html('<ul class="changes">{}</ul>', shown) if shown else columns.NOTHING


def show_columns(change: models.Change, people: People) -> SafeString:
    """What differs; where nothing does, what the event says of a row that was there before."""
    pairs = [pair for pair in _read_pairs(change) if not (_is_empty(pair[1]) and _is_empty(pair[2]))]
    pairs = [pair for pair in pairs if pair[1] != pair[2]] or pairs
    lines = format_html_join("", "<li>{}: {}</li>", (_show_column(change, people, *pair) for pair in pairs))
    return format_html("<ul>{}</ul>", lines) if lines else lines


def read_people(changes: Iterable[models.Change]) -> People:
    """The names of the people that the columns lead to, by their ids."""
    found = set()
    for change in changes:
        for name, *values in _read_pairs(change):
            if getattr(_find_field(change, name), "related_model", None) is models.User:
                found |= {value for value in values if isinstance(value, int) and abs(value) <= periods.LARGEST}
    return dict(models.User.objects.filter(pk__in=found).values_list("pk", "username"))


def _read_pairs(change: models.Change) -> list[tuple[str, Any, Any]]:
    """Each column with what was there before, and after; in whatever shape somebody has written them."""
    values = change.columns if isinstance(change.columns, dict) else {"columns": change.columns}
    is_pair = {name: isinstance(value, list) and len(value) == 2 for name, value in values.items()}
    return [(name, *(value if is_pair[name] else (value, value))) for name, value in values.items()]


def _find_field(change: models.Change, name: str) -> "Field[Any, Any] | None":
    kind = rows.KINDS.get(change.kind)
    fields = kind.model._meta.concrete_fields if kind else ()
    return next((field for field in fields if field.attname == name), None)


def _show_column(
    change: models.Change, people: People, name: str, before: object, after: object
) -> tuple[Shown, Shown]:
    field = _find_field(change, name)
    label = str(field.verbose_name) if field else name.replace("_", " ")
    if any(signatures.read_key_id(signature=value) for value in (before, after)):
        return label, _show_digest(change, before, after)
    shown = _show(after, field, people)
    if before == after or change.act == models.Change.Act.ADDED:
        return label, shown
    return label, format_html("{} → {}", _show(before, field, people), shown)


def _show_digest(change: models.Change, before: object, after: object) -> str:
    if _is_empty(after):
        return gettext("emptied")
    if before == after or change.act == models.Change.Act.ADDED:
        return gettext("kept as a digest")
    return gettext("set (kept as a digest)") if _is_empty(before) else gettext("changed (kept as a digest)")


def _show(value: Any, field: "Field[Any, Any] | None", people: People) -> Shown:
    if _is_empty(value):
        return columns.NOTHING
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(field, ForeignKey):
        return _link_to(value, field.related_model, people)
    if isinstance(field, DateTimeField):
        return _show_time(value)
    if isinstance(value, str) and field and field.choices:
        return value.lower().replace("_", " ")
    return Truncator(_write(value)).chars(_LONGEST)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [])


def _write(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_write, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _link_to(key: Any, model: type[Any], people: People) -> Shown:
    names = {models.Request: f"R-{key}", models.User: people.get(key)}
    name = names.get(model) or f"{model._meta.verbose_name} {key}"
    return columns.link_to(model(pk=key), name)


def _show_time(value: object) -> Shown:
    try:
        return ui.moment(datetime.fromisoformat(f"{value}+00:00"), "j M Y, H:i:s")
    except ValueError:
        return str(value)
