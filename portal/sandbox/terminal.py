"""The terminal of a workstation. It answers a handful of commands itself, and runs nothing on the machine."""

import codecs
import re
from collections.abc import Callable
from datetime import UTC, datetime

_CLEAR = "\x1b[2J\x1b[H"
# Arrows and the like, and what a terminal puts around pasted text.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.|$)", re.DOTALL)
_MOST_LETTERS = 4096


class Terminal:
    """One session: what is typed goes in, what is shown comes out."""

    def __init__(
        self, *, uid: str, tell_time: Callable[[], float], list_files: Callable[[], list[tuple[str, int]]]
    ) -> None:
        self._uid, self._tell_time, self._list_files = uid, tell_time, list_files
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._prompt = f"agent@{uid}:~$ "
        self._line = ""
        self.is_over = False

    def greet(self) -> str:
        return f"The sandbox's terminal of {self._uid}. `help` lists what it can.\r\n{self._prompt}"

    def read(self, message: bytes) -> str:
        text = self._decoder.decode(message).replace("\r\n", "\r")
        return "".join(self._take(letter) for letter in _ESCAPES.sub("", text))

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
            case "" | "stty":  # of a window whose size it does not mind
                return ""
            case "help":
                return "help echo ls date whoami clear stty exit\n"
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
            case "exit":
                self.is_over = True
                return "logout\n"
        return f"{name}: command not found\n"
