"""What stands in no log: the token of a link that works for who is not signed in, codes, and a program's."""

import logging
import re
from typing import Any

from gunicorn import glogging


def _spell(text: str) -> str:
    """A pattern for the text, each character as it is or as an address may have it, once or several times encoded."""
    return "".join(f"(?:{re.escape(one)}|%(?:25)*(?:{ord(one):x}|{ord(one.upper()):x}))" for one in text)


_SLASH, _DOT = _spell("/"), _spell(".")
_LINK = f"{_SLASH}(?:{_spell('setup')}|{_spell('join')}|{_spell('unsubscribe')})(?:{_SLASH}{_DOT}{{0,2}})+"
_TOKEN = re.compile(rf"({_LINK})(?:(?!{_SLASH})[^\s\"'?#&])+", re.IGNORECASE)
_CODE = re.compile(rf"((?:[?&]|%(?:25)*(?:3f|26)){_spell('code')}(?:=|%(?:25)*3d))[^\s\"'?#&]+", re.IGNORECASE)
_PROGRAM_S = re.compile(rf"({_spell('wsp_')})[0-9a-z%]+", re.IGNORECASE)


def hide_token(text: str) -> str:
    """The text with dots in the place of a token or a code."""
    for secret in (_TOKEN, _CODE, _PROGRAM_S):
        text = secret.sub(r"\1...", text)
    return text


class Formatter(logging.Formatter):
    """Writes a line of any logger, with its traceback, as another formatter would, but for the token."""

    def __init__(self, *values: Any, inner: logging.Formatter | None = None, **options: Any) -> None:
        super().__init__(*values, **options)
        self._write = inner.format if inner else super().format

    def format(self, record: logging.LogRecord) -> str:
        return hide_token(self._write(record))


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logs: of what was asked, and of what went wrong."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(Formatter(inner=handler.formatter))
