"""Finding requests: the searchable text of each, and how a typed search is read."""

import re
from collections.abc import Sequence

from django.db import models
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext_lazy as _

from portal.models.request import Request

LONGEST_SEARCH = 500
MOST_WORDS = 32
SHORTEST_WORD = 3
_NUMBER = re.compile(r"(?:R-?)?([0-9]{1,18})", re.IGNORECASE)
_INVISIBLE = " \t\r\n\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
# An index of trigrams knows neither shorter words nor those of punctuation alone.
_FINDABLE = re.compile(r"[^\W_]{2}")


class SearchEntry(models.Model):
    """The text by which a request is found, folded; services/search/finding.py writes it. None: it says nothing.

    On PostgreSQL a migration gives it an index of trigrams.
    """

    request = models.OneToOneField(Request, on_delete=models.CASCADE, primary_key=True, related_name="search_entry")
    words = models.TextField()

    def __str__(self) -> str:
        return f"R-{self.pk}"


class UnreadableSearch(Exception):
    """Nothing can be looked for by this; the message is fit for the person."""


def fold(text: str) -> str:
    """A text without the difference of capitals, as the search index has it."""
    return text.casefold()


def read_number(text: str) -> int | None:
    """The request's number that the text is, if any; marks of writing direction that came with a copy don't count."""
    match = _NUMBER.fullmatch(text.strip(_INVISIBLE))
    return int(match[1]) if match else None


def read_words(text: str) -> list[str]:
    """The words and quoted phrases of the text. Raises UnreadableSearch."""
    words = [_unquote(word) for word in smart_split(text.strip(_INVISIBLE))] if len(text) <= LONGEST_SEARCH else []
    if len(text) > LONGEST_SEARCH or len(words) > MOST_WORDS:
        raise UnreadableSearch(
            _("Search for at most %(characters)s characters and %(words)s words.")
            % {"characters": LONGEST_SEARCH, "words": MOST_WORDS}
        )
    return [word for word in words if word]


def check_words(words: Sequence[str]) -> None:
    """Raise UnreadableSearch where an index of trigrams cannot find one of the words."""
    for word in words:
        if len(word) < SHORTEST_WORD or not _FINDABLE.search(word):
            raise UnreadableSearch(
                _("“%(word)s” is too short to look for: it takes three letters or digits. Quote several words as one.")
                % {"word": word}
            )


def _unquote(word: str) -> str:
    is_quoted = len(word) > 1 and word[0] in "\"'" and word[0] == word[-1]
    return unescape_string_literal(word) if is_quoted else word.strip(_INVISIBLE)
