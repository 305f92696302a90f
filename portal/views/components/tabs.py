"""The parts of a list, as links above it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from portal import forms


def list_tabs(form: forms.PartsForm, *, query: QueryDict, kept: Sequence[str] = ()) -> list[tuple[Any, str, bool]]:
    """Words, a link, and whether it is the one that is shown. Links keep what the query has of `kept`."""
    others = {name: query[name] for name in kept if query.get(name)}
    return [(words, f"?{urlencode({**others, 'show': name})}", name == form.shown) for name, words in form.PARTS]
