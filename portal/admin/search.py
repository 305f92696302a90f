"""How a search of the record is read: a request's number, or words that must all be found."""

from collections.abc import Callable

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

HELP = _(
    "R-1042 or 1042 finds by the request's number alone. Of several words each must be found; "
    'quote a number or a phrase to look for it as text: "1042".'
)


def find_all(words: list[str], *, find_word: Callable[[str], Q]) -> Q:
    """Where each of the words is found."""
    found = Q()
    for word in words:
        found &= find_word(word)
    return found


def find_in(fields: tuple[str, ...], word: str) -> Q:
    """Where one of the fields contains the word."""
    return Q.create([(f"{field}__icontains", word) for field in fields], connector=Q.OR)
