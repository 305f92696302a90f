"""The RFB protocol 3.8 (RFC 6143), the server's side: one viewer of one screen, over a WebSocket."""

import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from portal.sandbox import screen

VERSION = b"RFB 003.008\n"
_NO_SECURITY = 1
_RAW = 0
_FORMAT = struct.Struct("!BBBBHHHBBB3x")
_MOST_LETTERS = 1024 * 1024


type Tables = list[bytes]


def read_format(raw: bytes) -> Tables:
    """For each of the four bytes of a pixel a table from the palette to that byte, as the viewer wants it.

    Raises EOFError for pixels of another size, or with a colour map.
    """
    bits, _, is_big, is_true, red, green, blue, *shifts = _FORMAT.unpack(raw)
    if bits != 32 or not is_true:
        raise EOFError
    order: Literal["big", "little"] = "big" if is_big else "little"
    pixels = []
    for colour in screen.PALETTE:
        parts = zip(colour, (red, green, blue), shifts, strict=True)
        value = sum(part * most // 255 << shift for part, most, shift in parts)
        pixels.append((value % (1 << bits)).to_bytes(4, order))
    return [bytes(pixel[place] for pixel in pixels).ljust(256) for place in range(4)]


_NATIVE = _FORMAT.pack(32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


class Session:
    """A viewer. The caller's thread reads what it sends; another writes what it asked for and has changed."""

    def __init__(
        self, connection: ServerConnection, messages: Iterator[bytes], shown: screen.Screen, *, name: str
    ) -> None:
        self._connection, self._messages, self._rest = connection, messages, b""
        self._screen = shown
        self._name = name.encode()
        self._tables = read_format(_NATIVE)
        # Of each update asked for and not sent yet, whether it may leave out what has not changed.
        self._asked: deque[bool] = deque()
        self._stirred = threading.Event()
        self._is_over = False

    def run(self) -> None:
        """Serve it until the stream ends, or until it says what makes no sense."""
        with suppress(EOFError, ConnectionClosed), self._screen.watch(self._stirred.set):
            self._shake_hands()
            threading.Thread(target=self._write, name="sandbox-desktop", daemon=True).start()
            try:
                while True:
                    self._read_message()
            finally:
                self._is_over = True
                self._stirred.set()

    def _shake_hands(self) -> None:
        self._connection.send(VERSION)
        if self._read(len(VERSION)) != VERSION:
            raise EOFError
        self._connection.send(bytes([1, _NO_SECURITY]))
        if self._read(1)[0] != _NO_SECURITY:
            raise EOFError
        self._connection.send(struct.pack("!I", 0))
        self._read(1)
        size = struct.pack("!HH", screen.WIDTH, screen.HEIGHT)
        self._connection.send(size + _NATIVE + struct.pack("!I", len(self._name)) + self._name)

    def _read_message(self) -> None:
        match self._read(1)[0]:
            case 0:
                self._tables = read_format(self._read(19)[3:])
            case 2:
                (count,) = struct.unpack("!xH", self._read(3))
                self._read(4 * count)  # how it may be encoded: raw always may
            case 3:
                self._asked.append(bool(self._read(9)[0]))
                self._stirred.set()
            case 4:
                is_down, key = struct.unpack("!B2xI", self._read(7))
                self._screen.press(key, is_down=bool(is_down))
            case 5:
                buttons, x, y = struct.unpack("!BHH", self._read(5))
                self._screen.point(x, y, buttons=buttons)
            case 6:
                (length,) = struct.unpack("!3xI", self._read(7))
                if length > _MOST_LETTERS:
                    raise EOFError
                self._screen.paste(self._read(length).decode("latin-1"))
            case _:
                raise EOFError

    def _read(self, size: int) -> bytes:
        """So many bytes of its messages, which come one after the other. Raises EOFError where there are no more."""
        while len(self._rest) < size:
            if (message := next(self._messages, None)) is None:
                raise EOFError
            self._rest += message
        content, self._rest = self._rest[:size], self._rest[size:]
        return content

    # --- Writing ---

    def _write(self) -> None:
        sent, is_asked, copies = b"", False, self._screen.copies
        with suppress(ConnectionClosed):
            while not self._is_over:
                while self._asked:
                    is_asked, sent = True, sent if self._asked.popleft() else b""
                if copies != self._screen.copies:
                    copies = self._screen.copies
                    self._send_clipboard()
                picture = self._screen.look()
                if is_asked and picture != sent:
                    self._send_update(sent, picture)
                    is_asked, sent = False, picture
                self._stirred.wait()
                self._stirred.clear()

    def _send_clipboard(self) -> None:
        text = self._screen.clipboard.encode("latin-1", "replace")
        self._connection.send(struct.pack("!B3xI", 3, len(text)) + text)

    def _send_update(self, before: bytes, after: bytes) -> None:
        rows = screen.find_changed_rows(before, after)
        pixels = after[rows.start * screen.WIDTH : rows.stop * screen.WIDTH]
        encoded = bytearray(4 * len(pixels))
        for place, table in enumerate(self._tables):
            encoded[place::4] = pixels.translate(table)
        head = struct.pack("!BxHHHHHi", 0, 1, 0, rows.start, screen.WIDTH, len(rows), _RAW)
        self._connection.send(head + encoded)
