"""Every text that people see is marked for gettext, and is written in the words of docs/glossary.md."""

import ast
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


def test_a_template_has_no_text_that_is_not_marked():
    unmarked = [f"{path}: {text}" for path in TEMPLATES for text in list_unmarked(path.read_text())]
    assert not unmarked, "\n".join(unmarked)


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


# Words that pages do not use: docs/glossary.md has those in their place.
_FORMER = re.compile(
    r"\b(whoever|anew|need not|wish(ed)?|mend(s|ed)?|go(es)? out|g(i|a)v(e|en|ing|es) back|give (it|them|this) back"
    r"|the provider|UIDs?|rehears(e|al)|stand(s|ing)? still|orphans?|look(s|ing)? (for )?it up"
    r"|the key is (paused|held)|starting again|put back|kept at most|not there any more|answered)\b"
)
_PORTAL = FOLDER.parent / "portal"
_MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
_IN_TEMPLATE = re.compile(
    r"{%\s*translate\s+[\"'](.*?)[\"']\s*(?:as|%})|{%\s*blocktranslate[^%]*%}(.*?){%\s*endbl", re.DOTALL
)


def list_messages(path: Path) -> Iterator[str]:
    if path.suffix == ".html":
        yield from (" ".join((one or other).split()) for one, other in _IN_TEMPLATE.findall(path.read_text()))
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _MARKS:
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def test_former_words_do_not_come_back():
    paths = [*TEMPLATES, *_PORTAL.rglob("*.py")]
    messages = {(path, message) for path in paths for message in list_messages(path)}
    assert len(messages) > 800
    former = [f"{path}: {message}" for path, message in messages if _FORMER.search(message)]
    assert not former, "\n".join(former)


@pytest.mark.parametrize("words", ["Release to whoever", "It was put back.", "AgentStation answered"])
def test_a_former_word_is_found(words):
    assert _FORMER.search(words)
