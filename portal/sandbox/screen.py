"""The desktop of a workstation: one picture for everybody who looks at it, and what keys and the pointer do to it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The usual font of 5 by 7 dots, from the space to the tilde: letters by their columns, whose lowest bit is at the top.
_DOTS = bytes.fromhex(
    "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0008070300 001c224100 0041221c00"
    "2a1c7f1c2a 08083e0808 0080703000 0808080808 0000606000 2010080402 3e5149453e 00427f4000 7249494946 2141494d33"
    "1814127f10 2745454539 3c4a494931 4121110907 3649494936 464949291e 0000140000 0040340000 0008142241 1414141414"
    "0041221408 0201590906 3e415d594e 7c1211127c 7f49494936 3e41414122 7f4141413e 7f49494941 7f09090901 3e41415173"
    "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f021c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e"
    "7f09192946 2649494932 03017f0103 3f4040403f 1f2040201f 3f4038403f 6314081463 0304780403 6159494d43 007f414141"
    "0204081020 004141417f 0402010204 4040404040 0003070800 2054547840 7f28444438 3844444428 384444287f 3854545418"
    "00087e0902 18a4a49c78 7f08040478 00447d4000 2040403d00 7f10284400 00417f4000 7c04780478 7c08040478 3844444438"
    "fc18242418 18242418fc 7c08040408 4854545424 04043f4424 3c4040207c 1c2040201c 3c4030403c 4428102844 4c9090907c"
    "4464544c44 0008364100 0000770000 0041360800 0201020402"
)
_LETTERS = {chr(ord(" ") + number): _DOTS[number * 5 : number * 5 + 5] for number in range(len(_DOTS) // 5)}
_UNKNOWN = b"\x7f\x41\x41\x41\x7f"

WIDTH, HEIGHT = 1280, 720
_GROUND, _PAPER, _INK, _BAR = range(4)
PALETTE = ((0x24, 0x3B, 0x53), (0x1B, 0x2A, 0x3A), (0xF0, 0xF4, 0xF8), (0x33, 0x4E, 0x68))
_LETTERS_IN_LINE, _LINES_TYPED, _LINES_CLIPBOARD = 100, 8, 4
_TITLE = "What was typed (Ctrl+C copies it, Ctrl+V adds the clipboard):"
_BACKSPACE, _CONTROLS = 0xFF08, frozenset({0xFFE3, 0xFFE4})
_ENTER = frozenset({0xFF0D, 0xFF8D})
# Keysyms of Unicode letters begin here.
_UNICODE = 0x0100_0000
_MOST_LETTERS = 10_000


def read_letter(key: int) -> str:
    """The letter that an X11 keysym stands for; empty for other keys."""
    code = key - _UNICODE if key >= _UNICODE else key
    is_letter = 0x20 <= key <= 0x7E or 0xA0 <= key <= 0xFF or (key >= _UNICODE and code <= 0x10FFFF)
    return chr(code) if is_letter and chr(code).isprintable() else ""


def find_changed_rows(before: bytes, after: bytes) -> range:
    """From the first row that differs to the last, of two pictures that do differ."""
    starts = range(0, len(after), WIDTH)
    changed = [start // WIDTH for start in starts if before[start : start + WIDTH] != after[start : start + WIDTH]]
    return range(changed[0], changed[-1] + 1)


class Screen:
    """The picture, a byte of the palette a pixel."""

    def __init__(self, *, title: str) -> None:
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self._pixels = bytearray([_GROUND]) * (WIDTH * HEIGHT)
        self._lines: dict[int, str] = {}
        self._typed = ""
        self._held: set[int] = set()
        self.clipboard = ""
        # How often something was copied here, so that each viewer learns of it.
        self.copies = 0
        self._fill(range(60), range(WIDTH), _BAR)
        self._fill(range(84, 600), range(24, WIDTH - 24), _PAPER)
        self._draw(16, 18, title, paper=_BAR, scale=3)
        self._put(0, "The sandbox draws this desktop. No program runs in it.")
        self._put(2, "No key yet.")
        self._put(5, _TITLE)
        self._put(15, "Clipboard:")
        self._show_texts()

    @contextmanager
    def watch(self, act: Callable[[], None]) -> Iterator[None]:
        """Call `act` after each change."""
        with self._lock:
            self._watchers.append(act)
        try:
            yield
        finally:
            with self._lock:
                self._watchers.remove(act)

    def look(self) -> bytes:
        with self._lock:
            return bytes(self._pixels)

    def press(self, key: int, *, is_down: bool) -> None:
        with self._change():
            (self._held.add if is_down else self._held.discard)(key)
            if is_down:
                self._type(key)
            self._put(2, f"Last key: {key:#x} {read_letter(key)} {'pressed' if is_down else 'released'}")
            self._show_texts()

    def point(self, x: int, y: int, *, buttons: int) -> None:
        with self._change():
            self._put(3, f"Pointer: {x}, {y}, buttons {buttons:03b}")

    def paste(self, text: str) -> None:
        with self._change():
            self.clipboard = text[:_MOST_LETTERS]
            self._show_texts()

    def _type(self, key: int) -> None:
        letter = read_letter(key)
        if self._held & _CONTROLS:
            if letter.lower() == "c":
                self.clipboard, self.copies = self._typed, self.copies + 1
            elif letter.lower() == "v":
                self._typed += self.clipboard
        elif key == _BACKSPACE:
            self._typed = self._typed[:-1]
        else:
            self._typed += "\n" if key in _ENTER else letter
        self._typed = self._typed[-_MOST_LETTERS:]

    # --- Drawing ---

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            yield
            for act in self._watchers:
                act()

    def _show_texts(self) -> None:
        for first, count, text in ((6, _LINES_TYPED, self._typed + "_"), (16, _LINES_CLIPBOARD, self.clipboard)):
            lines = [
                line[start : start + _LETTERS_IN_LINE]
                for line in text.split("\n")
                for start in range(0, max(len(line), 1), _LETTERS_IN_LINE)
            ][-count:]
            for number in range(count):
                self._put(first + number, lines[number] if number < len(lines) else "")

    def _put(self, row: int, text: str) -> None:
        """Write a line of the page, if it is not what is there already."""
        if self._lines.get(row) != text:
            self._lines[row] = text
            self._draw(40, 100 + row * 24, text.ljust(_LETTERS_IN_LINE), paper=_PAPER, scale=2)

    def _fill(self, rows: range, columns: range, colour: int) -> None:
        for row in rows:
            start = row * WIDTH
            self._pixels[start + columns.start : start + columns.stop] = bytes([colour]) * len(columns)

    def _draw(self, x: int, y: int, text: str, *, paper: int, scale: int) -> None:
        columns = b"".join(_LETTERS.get(letter, _UNKNOWN) + b"\0" for letter in text)
        for row in range(8):
            line = bytes(_INK if column >> row & 1 else paper for column in columns for _ in range(scale))
            for number in range(scale):
                start = (y + row * scale + number) * WIDTH + x
                self._pixels[start : start + len(line)] = line
