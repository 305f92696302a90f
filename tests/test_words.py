"""Every text that people see waits for their language: what stands in a template is marked for gettext."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template.base import Lexer, Token, TokenType

FOLDER = Path(__file__).resolve().parent.parent / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
_SEEN_ATTRIBUTE = re.compile(r'\b(?:title|aria-label|placeholder|alt)="([^"]*)"')
_GIVEN_TEXT = re.compile(r'=(["\'][A-Z].*?["\'])')  # to an include; `_("...")` is marked


def list_unmarked(source: str) -> Iterator[str]:
    """Text outside of translate tags: between HTML tags, in attributes that are read out, and given to an include."""
    tokens = list(Lexer(source).tokenize())
    html = "".join(_keep_unmarked(tokens))
    yield from (value for value in _SEEN_ATTRIBUTE.findall(html) if re.search("[A-Za-z]", value))
    yield from re.findall(r"[A-Za-z][^\n\0]*", re.sub(r"<[^>]*>", "\0", html))
    for token in tokens:
        if token.token_type == TokenType.BLOCK and token.contents.startswith("include "):
            yield from _GIVEN_TEXT.findall(token.contents)


def _keep_unmarked(tokens: list[Token]) -> Iterator[str]:
    marked = False
    for token in tokens:
        if token.token_type == TokenType.BLOCK and token.contents.startswith(("blocktranslate", "endblocktranslate")):
            marked = token.contents.startswith("blocktranslate")
        yield token.contents if token.token_type == TokenType.TEXT and not marked else "\0"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_template_has_no_text_that_is_not_marked(path):
    assert not list(list_unmarked(path.read_text()))


@pytest.mark.parametrize(
    ("source", "unmarked"),
    [
        ("<p>{{ count }} found</p>", ["found"]),
        ('<p title="Now">{% translate "Then" %}</p>', ["Now"]),
        ('{% include "x.html" with label="All" other=_("None") %}', ['"All"']),
        ('{% blocktranslate %}Hello{% endblocktranslate %}<b class="{% if big %}large{% endif %}">–</b>', []),
    ],
)
def test_what_is_not_marked_is_found(source, unmarked):
    assert list(list_unmarked(source)) == unmarked
