"""What a connection has brought so far of an HTTP request, and whether that is all of it.

Only as much of HTTP is read here as shows where a request ends. What is wrong in its head is left to gunicorn's parser,
which answers that with 400.
"""

import re

MOST_HEAD = 32 * 1024  # bytes; an address of 8 KB may stand in it twice
MOST_BODY = 64 * 1024  # bytes; the longest form has a few thousand

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*([0-9]+)[ \t]*\r\n", re.ASCII | re.IGNORECASE)
_DIGITS = 10  # more than any length that is taken has; Python refuses to read thousands of them
_CHUNKED = re.compile(rb"\r\nTransfer-Encoding[ \t]*:", re.ASCII | re.IGNORECASE)
_ASKS_FIRST = re.compile(rb"\r\nExpect:[ \t]*100-continue[ \t]*\r\n", re.ASCII | re.IGNORECASE)


class Arrival:
    """One request on its way. Its body counts as none where the portal takes no such body: it is never read."""

    def __init__(self) -> None:
        self.received = bytearray()
        # Nothing more can be read on the connection: what follows may be a body that was not read.
        self.is_last = False
        self._size: int | None = None  # bytes, known with the head
        self._asks_first = False

    def add(self, data: bytes) -> None:
        """Take what has come. Bytes behind the request are let go: nobody sends two without waiting for an answer."""
        looked = max(0, len(self.received) - len(_END) + 1)
        self.received += data
        if self._size is None and (end := self.received.find(_END, looked)) >= 0:
            head = bytes(self.received[: end + len(_END)])
            found = _LENGTH.search(head)
            length = int(found[1].lstrip(b"0")[:_DIGITS] or b"0") if found else 0
            self.is_last = length > MOST_BODY or bool(_CHUNKED.search(head))
            self._size = len(head) if self.is_last else len(head) + length
            self._asks_first = bool(_ASKS_FIRST.search(head))
        if self._size is not None and len(self.received) > self._size:
            self.is_last = True
            del self.received[self._size :]

    @property
    def is_whole(self) -> bool:
        """Whether a thread can answer it without waiting for more."""
        return self._size is not None and len(self.received) >= self._size

    @property
    def is_too_long(self) -> bool:
        """Whether its head has no end within what is taken."""
        return self._size is None and len(self.received) > MOST_HEAD

    def take_question(self) -> bool:
        """Whether the client waits to be told that it may send its body; true only once."""
        asks, self._asks_first = self._asks_first and not self.is_whole, False
        return asks
