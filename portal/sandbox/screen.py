"""The desktop of a workstation: one picture for everybody who looks at it, and what keys and the pointer do to it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portal.sandbox import font

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
        for number, row in enumerate(font.render(text, ink=_INK, paper=paper, scale=scale)):
            start = (y + number) * WIDTH + x
            self._pixels[start : start + len(row)] = row
