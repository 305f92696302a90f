"""The columns of lists and the facts of pages: each shows a field as its type asks for."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.db.models import BinaryField, CharField, DateTimeField, Model, TextField
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import ngettext

from portal import failures
from portal.services.mirrors import sanitize
from portal.services.runtime import hidden
from portal.templatetags import ui

NOTHING = "–"
LONGEST = 60  # characters of a text in a list
LONGEST_RESPONSE = 64 * 1024
# What is given to Django is a name or a callable; its type stubs allow no callables among the fields of a page.
type Column = Any
type Show = Callable[[Any], Any]
type Shown = SafeString | str
type Links = list[tuple[failures.Words, str]]

# Fields that are called otherwise on pages, and those that are shown in a way of their own.
_LABELS = {
    "uid": "ID",
    "id": "number",
    "workspace_uid": "workspace ID",
    "http_status": "HTTP status",
    "http_request": "HTTP request",
    "at": "when",
    "actor_name": "who",
    "verb": "act",
    "is_complete": "complete",
    "missing_since": "not found since",
    "last_login": "last sign-in",
}


def make_column(show: Show, *, field: str, label: failures.Words = "", ordering: str | None = None) -> Column:
    """A column that shows something of the row; named after a field, so that it gets its help text."""

    def column(row: Any) -> Any:
        return show(row)

    column.__name__, name = field, field.split("__")[-1]
    label = label or _LABELS.get(name) or name.removesuffix("_at").replace("_", " ")
    return admin.display(description=label, ordering=ordering)(column)


@cache
def find_column(model: type[Model], path: str, *, is_list: bool) -> Column:
    """How a field is shown, which may be one of another row that relations lead to; where Django does well, its name.

    The row's own name is what alone sorts a list: any other order of a million rows would be made for each page.
    """
    if path in ("__str__", "pk"):
        show_name: Show = str if path == "__str__" else lambda row: row.pk
        return make_column(show_name, field="name", label=model._meta.verbose_name or "", ordering=model._meta.pk.name)
    field = get_fields_from_path(model, path)[-1]
    show = _find_show(field, is_list=is_list)
    return path if show is None else make_column(lambda row: show(_follow(row, path)), field=path)


def list_large(model: type[Model], related: Iterable[str] = ()) -> list[str]:
    """Columns that only the page reads which shows them; also of the rows to which the relations lead."""
    fields = model._meta.concrete_fields
    large = [field.name for field in fields if isinstance(field, BinaryField) or field.name in ("raw", "ids", "kept")]
    for path in related:
        first, _, rest = path.partition("__")
        other: Any = model._meta.get_field(first).related_model
        large += [f"{first}__{name}" for name in list_large(other, [rest] if rest else [])]
    return large


def _find_show(field: Any, *, is_list: bool) -> Show | None:
    shows: dict[object, Show] = {
        "failure": show_failure,
        "cause": show_failure,
        "release_failure": show_failure,
        "raw": show_text,
        "size": ui.file_size,
        DateTimeField: show_time,
        BinaryField: show_response,
    }
    if show := shows.get(field.name) or shows.get(type(field)) or (link_to if field.is_relation else None):
        return show
    if is_list and isinstance(field, CharField | TextField) and not field.choices:
        return shorten
    return (lambda value: NOTHING if value in ("", None) else value) if field.name in _LABELS else None


def _follow(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name, None)  # a reverse one-to-one that is not there raises an AttributeError too
    return row


def shorten(text: str) -> str:
    return Truncator(text or NOTHING).chars(LONGEST)


def show_time(time: datetime | None) -> Shown:
    """A time to the second, in the person's zone."""
    return ui.moment(time, "j M Y, H:i:s")


def show_failure(code: str) -> Shown:
    """A failure's code and title, linked to the guide; a code that the catalogue does not know as it came."""
    if code not in failures.CATALOGUE:
        return code or NOTHING
    url = reverse("failure_detail", args=[code])
    return format_html('<a href="{}">{}</a>: {}', url, code, failures.CATALOGUE[code].title)


def link_to(row: Model | None, words: object = "") -> Shown:
    return NOTHING if row is None else format_html('<a href="{}">{}</a>', url_of(row), words or row)


def url_of(row: Model, page: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def list_url(model: type[Model], **parameters: object) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(parameters)}" if parameters else url


def show_response(body: bytes | memoryview | None) -> Shown:
    return show_text(bytes(body or b"").decode("utf-8", errors="backslashreplace"))


def show_text(text: str) -> Shown:
    """Stored text without what is hidden, laid out and cut off."""
    if not text:
        return NOTHING
    text = hidden.hide(text=text)
    shown = _lay_out(text)
    box = format_html('<pre class="response" tabindex="0">{}</pre>', sanitize.escape_text(shown[:LONGEST_RESPONSE]))
    missing = len(text[LONGEST_RESPONSE:].encode(errors="backslashreplace")) if shown is text else 0
    if not missing:
        return box
    words = ngettext("%(number)s byte more is not shown.", "%(number)s bytes more are not shown.", missing)
    return format_html('{}<p class="cut">{}</p>', box, words % {"number": f"{missing:,}"})


def _lay_out(text: str) -> str:
    """JSON with a line for each member, where that fits and changes nothing but white space; else as it came."""
    try:
        laid_out = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if len(text) <= LONGEST_RESPONSE else ""
    except (ValueError, RecursionError):  # not JSON, a number with too many digits, or too deep
        return text
    is_same = len(laid_out) <= LONGEST_RESPONSE and "".join(laid_out.split()) == "".join(text.split())
    return laid_out if is_same else text
