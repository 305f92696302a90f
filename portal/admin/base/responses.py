"""Shows what the provider wrote: laid out where it is JSON, escaped, and never more than a page can bear."""

import json
import re
from collections.abc import Iterator

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from portal.services.mirrors import sanitize
from portal.services.runtime import hidden

LONGEST = 64 * 1024
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_DEEPEST = 40  # further in, lines are indented no more


def show_response(
    body: bytes | memoryview | None, *, length: int | None = None, longest: int = LONGEST
) -> SafeString | str:
    """A body as text, without what is hidden. `length`: how long it is in all, where `body` is only its start."""
    if body is None:
        return "–"
    body = bytes(body)
    missing = (length or len(body)) - len(body)
    text = hidden.hide(text=body.decode("utf-8", errors="backslashreplace"))
    return _show(text, missing=missing, longest=longest)


def show_text(text: str, *, longest: int = LONGEST) -> SafeString | str:
    """Stored text, laid out and cut off as a response's body is; nothing in it is hidden."""
    return _show(text, missing=0, longest=longest) if text else "–"


def _show(text: str, *, missing: int, longest: int) -> SafeString:
    shown, used = _lay_out(text, longest=longest) if not missing and _is_json(text) else (text[:longest], longest)
    missing += len(text[used:].encode(errors="backslashreplace"))
    box = format_html('<pre class="response" tabindex="0">{}</pre>', sanitize.escape_text(shown))
    return box if not missing else format_html('{}<p class="cut">{}</p>', box, _say_missing(missing))


def _say_missing(missing: int) -> str:
    return ngettext("%(number)s byte more is not shown.", "%(number)s bytes more are not shown.", missing) % {
        "number": f"{missing:,}"
    }


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # not JSON, a number with too many digits, or too deep
        return False
    return True


def _lay_out(text: str, *, longest: int) -> tuple[str, int]:
    """The JSON text with a line for each member, and how much of it was used.

    Only white space differs from what came: numbers, escapes and repeated names stay as they were written.
    """
    pieces: list[str] = []
    size = 0
    for piece, position in _indent(text):
        size += len(piece)
        if size > longest:
            return "".join(pieces) or text[:longest], position if pieces else longest
        pieces.append(piece)
    return "".join(pieces), len(text)


def _indent(text: str) -> Iterator[tuple[str, int]]:
    """The words with white space before or after them, each with its place in the text."""
    depth = 0
    before = ""
    for match in _TOKEN.finditer(text):
        word = match.group()
        if word in "]}":
            depth -= 1
            gap = "" if before in ("[", "{") else _break(depth)
        else:
            gap = _break(depth) if before in ("[", "{", ",") else " " * (before == ":")
        depth += word in "[{"
        before = word
        yield gap + word, match.start()


def _break(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)
