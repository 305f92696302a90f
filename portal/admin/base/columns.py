"""The columns of lists and the facts of pages: times, links and texts, each made for a field."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from portal import failures
from portal.admin.base import responses
from portal.services.runtime import hidden
from portal.templatetags import ui

NOTHING = "–"
# What is given to Django is a callable; its type stubs allow callables in lists, but not among the fields of a page.
type Column = Any
type Show = Callable[[Any], Any]


def make_column(show: Show, *, field: str, label: failures.Words = "", ordering: str | None = None) -> Column:
    """A column that shows something of the field; named after it, so that it gets its help text."""

    def column(row: Any) -> Any:
        return show(row)

    column.__name__ = field
    return admin.display(description=label or field.replace("_", " "), ordering=ordering)(column)


def name(*, label: failures.Words, show: Show = str) -> Column:
    """The row's own name, sorted by its id: the column that links to its page."""
    return make_column(show, field="name", label=label, ordering="id")


def value(field: str, *, label: failures.Words) -> Column:
    """The field as it is, under a better name than its own."""
    return make_column(lambda row: getattr(row, field) or NOTHING, field=field, label=label)


def moment(field: str, *, label: failures.Words = "") -> Column:
    """A time to the second."""
    label = label or field.removesuffix("_at").replace("_", " ")
    return make_column(lambda row: show_time(getattr(row, field)), field=field, label=label)


def show_time(time: datetime | None) -> SafeString | str:
    """A time to the second, in the person's zone."""
    return ui.moment(time, "j M Y, H:i:s")


def short_text(field: str, *, label: failures.Words = "", longest: int = 100) -> Column:
    """The beginning of a text that may be long."""
    return make_column(short(field, longest=longest), field=field, label=label)


def short(field: str, *, longest: int = 100) -> Show:
    """Shows the beginning of a text."""
    return lambda row: Truncator(getattr(row, field) or NOTHING).chars(longest)


def laid_out(field: str, *, label: failures.Words = "") -> Column:
    """What the provider wrote, as JSON where it is, without what is hidden."""
    show = lambda row: responses.show_text(hidden.hide(text=getattr(row, field)))  # noqa: E731
    return make_column(show, field=field, label=label)


def response(field: str = "response") -> Column:
    """The body of a response."""
    return make_column(lambda row: responses.show_response(getattr(row, field)), field=field)


def failure(field: str = "failure") -> Column:
    """A failure with its title; a code that the catalogue does not know as it came."""
    return make_column(lambda row: show_failure(getattr(row, field)), field=field)


def show_failure(code: str) -> SafeString | str:
    """A failure's code and title, linked to the guide."""
    if code not in failures.CATALOGUE:
        return code or NOTHING
    url = reverse("failure_detail", args=[code])
    return format_html('<a href="{}">{}</a>: {}', url, code, failures.CATALOGUE[code].title)


def file_size(field: str = "size") -> Column:
    """Bytes as people say them."""
    return make_column(lambda row: ui.file_size(getattr(row, field)), field=field)


def row_link(field: str, *, label: failures.Words = "") -> Column:
    """A link to the page of another row; `field` may lead over several relations."""
    last = field.split("__")[-1].replace("_", " ")
    return make_column(lambda row: link_to(_follow(row, field)), field=field, label=label or last)


def link_to(row: Model | None) -> SafeString | str:
    """A link to the row's page in the admin."""
    return NOTHING if row is None else link_to_words(row, row)


def link_to_words(row: Model, words: object) -> SafeString:
    """The same link under other words than the row's own name."""
    return format_html('<a href="{}">{}</a>', url_of(row), words)


def url_of(row: Model) -> str:
    """Where the row's page in the admin is."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_url(model: type[Model], **parameters: object) -> str:
    """Where the model's list is, with search (`q`) or filters."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(parameters)}" if parameters else url


def _follow(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name, None)  # a reverse one-to-one that is not there raises an AttributeError too
    return row
