"""How a search of the record is read: a request's number, or words that must all be found."""

import re
from collections.abc import Callable

from django.db.models import Q
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext_lazy as _

LONGEST = 500
MOST_WORDS = 32
HELP = _(
    "R-1042 or 1042 finds by the request's number alone. Of several words each must be found; "
    'quote a number or a phrase to look for it as text: "1042".'
)
_NUMBER = re.compile(r"(?:R-)?([0-9]{1,18})", re.IGNORECASE)
_INVISIBLE = " \t\r\n\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


class TooLong(Exception):
    """More than a search can look for."""


def read_number(text: str) -> int | None:
    """The request's number that the text is, if any; marks of writing direction that came with a copy don't count."""
    match = _NUMBER.fullmatch(text.strip(_INVISIBLE))
    return int(match[1]) if match else None


def read_words(text: str) -> list[str]:
    """The words and quoted phrases of the text. Raises TooLong."""
    words = [_unquote(word) for word in smart_split(text.strip(_INVISIBLE))] if len(text) <= LONGEST else []
    if len(text) > LONGEST or len(words) > MOST_WORDS:
        raise TooLong(
            _("Search for at most %(characters)s characters and %(words)s words.")
            % {"characters": LONGEST, "words": MOST_WORDS}
        )
    return [word for word in words if word]


def find_all(words: list[str], *, find_word: Callable[[str], Q]) -> Q:
    """Where each of the words is found."""
    found = Q()
    for word in words:
        found &= find_word(word)
    return found


def find_in(fields: tuple[str, ...], word: str) -> Q:
    """Where one of the fields contains the word."""
    return Q.create([(f"{field}__icontains", word) for field in fields], connector=Q.OR)


def _unquote(word: str) -> str:
    is_quoted = len(word) > 1 and word[0] in "\"'" and word[0] == word[-1]
    return unescape_string_literal(word) if is_quoted else word.strip(_INVISIBLE)
