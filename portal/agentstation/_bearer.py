"""The API key: sent with each call, and blotted out of what comes back."""

import json
from collections.abc import Iterator

import requests
from requests.auth import AuthBase

from portal.agentstation.resources import LONGEST_WORDS, escape_text

_BLOT = "[API key]"
# A shorter key is a test's, and would be found by chance in any body.
_SHORTEST_BLOTTED_KEY = 8


class Bearer(AuthBase):
    """The one place that knows the key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def cut_words(self, words: object) -> str:
        """The beginning of what the provider says, fit to be stored and shown: without the key, even half of it."""
        text = words if isinstance(words, str) else ""
        text = text.replace(self._key, _BLOT) if len(self._key) >= _SHORTEST_BLOTTED_KEY else text
        return escape_text(text[:LONGEST_WORDS])[:LONGEST_WORDS]

    def blot_json(self, body: bytes) -> bytes:
        """The same, where JSON has the key in another spelling: with escapes, or not in UTF-8."""
        if len(self._key) < _SHORTEST_BLOTTED_KEY or not (b"\\" in body or b"\0" in body):
            return body
        try:
            written, key = json.dumps(json.loads(body)), json.dumps(self._key)[1:-1]
        except (ValueError, RecursionError):
            return body
        return written.replace(key, _BLOT).encode() if key in written else body

    def blot_bytes(self, body: bytes) -> bytes:
        key = self._key.encode("latin-1")
        return body.replace(key, _BLOT.encode()) if len(key) >= _SHORTEST_BLOTTED_KEY else body

    def blot_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same of what comes piece by piece; what may be the beginning of the key waits for the next."""
        key, rest = self._key.encode("latin-1"), b""
        for piece in pieces:
            text = self.blot_bytes(rest + piece)
            whole = len(text) - max(size for size in range(len(key)) if text.endswith(key[:size]))
            rest = text[whole:]
            yield text[:whole]
        yield rest
