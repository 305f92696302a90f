"""Shows what the provider wrote: laid out where it is JSON, escaped, and never more than a page can bear."""

import json

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from portal.services.mirrors import sanitize
from portal.services.runtime import hidden

LONGEST = 64 * 1024


def show_response(body: bytes | memoryview | None) -> SafeString | str:
    """A body as text, without what is hidden."""
    return "–" if body is None else _show(hidden.hide(text=bytes(body).decode("utf-8", errors="backslashreplace")))


def show_text(text: str) -> SafeString | str:
    """Stored text, laid out and cut off as a response's body is; nothing in it is hidden."""
    return _show(text) if text else "–"


def _show(text: str) -> SafeString:
    shown = _lay_out(text)
    missing = len(text[LONGEST:].encode(errors="backslashreplace")) if shown is text else 0
    box = format_html('<pre class="response" tabindex="0">{}</pre>', sanitize.escape_text(shown[:LONGEST]))
    return format_html('{}<p class="cut">{}</p>', box, _say_missing(missing)) if missing else box


def _say_missing(missing: int) -> str:
    return ngettext("%(number)s byte more is not shown.", "%(number)s bytes more are not shown.", missing) % {
        "number": f"{missing:,}"
    }


def _lay_out(text: str) -> str:
    """JSON with a line for each member, where that fits and changes nothing but white space; else as it came."""
    try:
        laid_out = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if len(text) <= LONGEST else ""
    except (ValueError, RecursionError):  # not JSON, a number with too many digits, or too deep
        return text
    is_same = len(laid_out) <= LONGEST and "".join(laid_out.split()) == "".join(text.split())
    return laid_out if is_same else text
