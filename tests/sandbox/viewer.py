"""A small RFB client, for the tests of desktops, and what else a client of a connection does."""

import struct

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

BINARY = Subprotocol("binary")


def read_to_end(connection: ClientConnection) -> tuple[int, str] | None:
    try:
        while True:
            connection.recv(30)
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else (closed.rcvd.code, closed.rcvd.reason)


class Line:
    """The bytes of a WebSocket's messages, one after the other."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._rest += self._connection.recv(30, decode=False)
        content, self._rest = self._rest[:size], self._rest[size:]
        return content

    def write(self, content: bytes) -> None:
        self._connection.send(content)


class Viewer:
    """Shakes hands, and keeps a picture in the format that the server offers: four bytes a pixel."""

    def __init__(self, connection: ClientConnection) -> None:
        self.line = line = Line(connection)
        assert line.read(12) == b"RFB 003.008\n"
        line.write(b"RFB 003.008\n")
        assert line.read(line.read(1)[0]) == b"\x01"
        line.write(b"\x01")
        assert line.read(4) == b"\0\0\0\0"
        line.write(b"\x01")
        self.width, self.height = struct.unpack("!HH", line.read(4))
        line.read(16)
        self.name = line.read(struct.unpack("!I", line.read(4))[0]).decode()
        line.write(struct.pack("!BxHii", 2, 2, 6, 0))  # zlib, or raw
        self.rows: list[bytes] = []

    def update(self, *, whole: bool, is_answered: bool = True) -> None:
        self.line.write(struct.pack("!BBHHHH", 3, not whole, 0, 0, self.width, self.height))
        if not is_answered:
            return
        assert self.line.read(4) == b"\0\0\0\1"
        left, top, width, height, encoding = struct.unpack("!HHHHi", self.line.read(12))
        assert (left, top, width, height, encoding) == (0, 0, self.width, self.height, 0)
        self.rows = [self.line.read(4 * width) for _ in range(height)]

    def read_clipboard(self) -> str:
        kind, size = struct.unpack("!B3xI", self.line.read(8))
        assert kind == 3
        return self.line.read(size).decode("latin-1")

    def paste(self, text: str) -> None:
        self.line.write(struct.pack("!B3xI", 6, len(text)) + text.encode("latin-1"))

    def set_format(self, *fields: int) -> None:
        """Bits, depth, big-endian, true colour, three maxima, three shifts."""
        self.line.write(struct.pack("!B3xBBBBHHHBBB3x", 0, *fields))

    def press(self, *keys: int) -> None:
        for is_down in (1, 0):
            for key in keys:
                self.line.write(struct.pack("!BBxxI", 4, is_down, key))

    def type(self, text: str) -> None:
        for letter in text:
            self.press(ord(letter))
