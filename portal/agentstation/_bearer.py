"""The API key: sent with each call, and blotted out of what comes back."""

import re
from collections.abc import Iterator

import requests
from requests.auth import AuthBase

_BLOT = b"[API key]"
# A shorter key is a test's, and would be found by chance in any body.
_SHORTEST_BLOTTED_KEY = 8


class Bearer(AuthBase):
    """The one place that knows the key."""

    def __init__(self, key: str) -> None:
        self._key = key
        written = rb"\0*".join(map(_spell, key)) if len(key) >= _SHORTEST_BLOTTED_KEY else b"(?!)"
        self._pattern = re.compile(written, re.IGNORECASE)  # of the digits in escapes

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def blot(self, body: bytes) -> bytes:
        """The body without the key, as it was sent or as JSON may have it: with escapes, or not in UTF-8."""
        return self._pattern.sub(_BLOT, body)

    def blot_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same of what comes piece by piece; what may be the beginning of the key waits for the next."""
        key, rest = self._key.encode("latin-1"), b""
        for piece in pieces:
            text = self.blot(rest + piece)
            whole = len(text) - max(size for size in range(len(key)) if text.endswith(key[:size]))
            rest = text[whole:]
            yield text[:whole]
        yield rest


def _spell(letter: str) -> bytes:
    """A pattern of how a letter may be written; in UTF-16 and UTF-32 there are NULs between the bytes."""
    spellings = (letter.encode("latin-1"), letter.encode(), b"\\" + letter.encode(), b"\\u%04x" % ord(letter))
    return b"(?:%b)" % b"|".join(rb"\0*".join(re.escape(bytes([byte])) for byte in one) for one in spellings)
