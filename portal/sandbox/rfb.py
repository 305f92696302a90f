"""The desktop of a workstation: the same still picture for everybody, by the server's side of RFB 3.8 (RFC 6143)."""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

WIDTH, HEIGHT = 1280, 720
_VERSION = b"RFB 003.008\n"
_NO_SECURITY = b"\x01"
_NATIVE = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_CONTROLS = frozenset({0xFFE3, 0xFFE4})
_MOST_LETTERS = 1024 * 1024
_PICTURE = Path(__file__).with_name("desktop.png")


class Session:
    """A viewer. What it types or pastes is not shown; Ctrl+C copies it back."""

    def __init__(self, send: Callable[[bytes], None], messages: Iterator[bytes], *, name: str) -> None:
        self._send, self._messages, self._rest = send, messages, b""
        self._name = name.encode()
        self._pixels = _draw(_NATIVE)
        self._typed, self._held = b"", set[int]()

    def run(self) -> None:
        """Serve it until the stream ends, or until it says what makes no sense."""
        with suppress(EOFError):
            self._shake_hands()
            while True:
                self._answer(self._read(1)[0])

    def _shake_hands(self) -> None:
        for offered, wanted in ((_VERSION, _VERSION), (b"\x01" + _NO_SECURITY, _NO_SECURITY)):
            self._send(offered)
            if self._read(len(wanted)) != wanted:
                raise EOFError
        self._send(bytes(4))
        self._read(1)
        self._send(struct.pack("!HH", WIDTH, HEIGHT) + _NATIVE + struct.pack("!I", len(self._name)) + self._name)

    def _answer(self, message: int) -> None:
        match message:
            case 0:
                self._pixels = _draw(self._read(19)[3:])
            case 2:
                (count,) = struct.unpack("!xH", self._read(3))
                self._read(4 * count)  # how it may be encoded: raw always may
            case 3:
                if not self._read(9)[0]:  # else only what has changed is wanted, and nothing does
                    self._send(struct.pack("!BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0) + self._pixels)
            case 4:
                self._press(*struct.unpack("!?2xI", self._read(7)))
            case 5:
                self._read(5)  # where the pointer is
            case 6:
                (length,) = struct.unpack("!3xI", self._read(7))
                if length > _MOST_LETTERS:
                    raise EOFError
                self._typed = self._read(length)
            case _:
                raise EOFError

    def _press(self, is_down: bool, key: int) -> None:
        (self._held.add if is_down else self._held.discard)(key)
        if is_down and self._held & _CONTROLS:
            if key in (ord("c"), ord("C")):
                self._send(struct.pack("!B3xI", 3, len(self._typed)) + self._typed)
        elif is_down and 0x20 <= key <= 0xFF:
            self._typed = self._typed[-_MOST_LETTERS:] + bytes([key])

    def _read(self, size: int) -> bytes:
        """So many bytes of its messages, which come one after the other. Raises EOFError where there are no more."""
        while len(self._rest) < size:
            if (message := next(self._messages, None)) is None:
                raise EOFError
            self._rest += message
        content, self._rest = self._rest[:size], self._rest[size:]
        return content


def _draw(form: bytes) -> bytes:
    """The picture with its pixels as a viewer wants them: of four bytes, one of them for each colour, else EOFError."""
    bits, _, is_big, is_true, *most, red, green, blue = struct.unpack("!BBBBHHHBBB3x", form)
    if bits != 32 or not is_true or most != [255] * 3 or not {red, green, blue} <= {0, 8, 16, 24}:
        raise EOFError
    # An RGB image in one piece, whose rows are as they are but for a byte before each.
    file = _PICTURE.read_bytes()
    rows = zlib.decompress(file[file.index(b"IDAT") + 4 :])
    pixels = bytearray(4 * WIDTH * HEIGHT)
    size = 3 * WIDTH + 1
    for colour, shift in enumerate((red, green, blue), 1):
        place = 3 - shift // 8 if is_big else shift // 8
        pixels[place::4] = b"".join(rows[start + colour : start + size : 3] for start in range(0, len(rows), size))
    return bytes(pixels)
