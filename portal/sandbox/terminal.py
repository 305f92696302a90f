"""The terminal of a workstation. It answers a handful of commands itself, and runs nothing on the machine."""

import codecs
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

_CLEAR = "\x1b[2J\x1b[H"
# Arrows and the like, and what a terminal puts around pasted text.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.|$)", re.DOTALL)
_MOST_LETTERS, _MOST_LINES = 4096, 100_000


class Terminal:
    """One session: what is typed goes in, what is shown comes out."""

    def __init__(
        self, *, uid: str, tell_time: Callable[[], float], list_files: Callable[[], list[tuple[str, int]]]
    ) -> None:
        self._uid, self._tell_time, self._list_files = uid, tell_time, list_files
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._prompt = f"agent@{uid}:~$ "
        self._line = ""
        self._size = (80, 24)
        self.is_over = False

    def greet(self) -> str:
        return f"The sandbox's terminal of {self._uid}. `help` lists what it can.\r\n{self._prompt}"

    def read(self, message: str | bytes) -> str:
        if isinstance(message, str):
            if self._resize(message):
                return ""
            message = message.encode()
        text = self._decoder.decode(message).replace("\r\n", "\r")
        return "".join(self._take(letter) for letter in _ESCAPES.sub("", text))

    def _resize(self, message: str) -> bool:
        """Whether it is no typing but the window's new size, as several terminals send it."""
        try:
            wish = json.loads(message)
            if not message.startswith("{") or wish.get("type") != "resize":
                return False
            self._size = (int(wish["cols"]), int(wish["rows"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        return True

    def _take(self, letter: str) -> str:
        match letter:
            case _ if self.is_over:
                return ""
            case "\r" | "\n":
                return "\r\n" + self._run()
            case "\x7f" | "\b":
                shown = "\b \b" if self._line else "\a"
                self._line = self._line[:-1]
                return shown
            case "\x03":
                self._line = ""
                return f"^C\r\n{self._prompt}"
            case "\x04" if not self._line:
                self._line = "exit"
                return "\r\n" + self._run()
            case "\x0c":
                return _CLEAR + self._prompt + self._line
        if not letter.isprintable() or len(self._line) >= _MOST_LETTERS:
            return ""
        self._line += letter
        return letter

    def _run(self) -> str:
        name, _, words = self._line.strip().partition(" ")
        self._line = ""
        shown = self._execute(name, words.strip()).replace("\n", "\r\n")
        return shown + ("" if self.is_over else self._prompt)

    def _execute(self, name: str, words: str) -> str:
        match name:
            case "" | "stty":  # the size comes with the connection
                return ""
            case "help":
                return "help echo ls date whoami clear seq size stty exit\n"
            case "echo":
                return f"{words}\n"
            case "ls":
                return "".join(f"{size:>10} {name}\n" for name, size in self._list_files())
            case "date":
                return f"{datetime.fromtimestamp(self._tell_time(), UTC):%a %d %b %Y %H:%M:%S UTC}\n"
            case "whoami":
                return "agent\n"
            case "clear":
                return _CLEAR
            case "seq" if words.isascii() and words.isdigit() and len(words) <= len(str(_MOST_LINES)):
                return "".join(f"{number}\n" for number in range(1, min(int(words), _MOST_LINES) + 1))
            case "seq":
                return f"seq: a number up to {_MOST_LINES} is missing\n"
            case "size":
                return f"{self._size[0]} columns, {self._size[1]} rows\n"
            case "exit":
                self.is_over = True
                return "logout\n"
        return f"{name}: command not found\n"
