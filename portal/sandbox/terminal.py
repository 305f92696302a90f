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
        name, _, rest = self._line.strip().partition(" ")
        self._line = ""
        if not name:
            return self._prompt
        command = _COMMANDS.get(name)
        shown = command(self, rest.strip()) if command else f"{name}: command not found\n"
        return shown.replace("\n", "\r\n") + ("" if self.is_over else self._prompt)

    # --- The commands; each takes what is typed behind its name ---

    def _help(self, _: str) -> str:
        return " ".join(_COMMANDS) + "\n"

    def _echo(self, words: str) -> str:
        return f"{words}\n"

    def _ls(self, _: str) -> str:
        return "".join(f"{size:>10} {name}\n" for name, size in self._list_files())

    def _date(self, _: str) -> str:
        return f"{datetime.fromtimestamp(self._tell_time(), UTC):%a %d %b %Y %H:%M:%S UTC}\n"

    def _whoami(self, _: str) -> str:
        return "agent\n"

    def _clear(self, _: str) -> str:
        return _CLEAR

    def _seq(self, last: str) -> str:
        if not (last.isascii() and last.isdigit() and len(last) <= len(str(_MOST_LINES))):
            return f"seq: a number up to {_MOST_LINES} is missing\n"
        return "".join(f"{number}\n" for number in range(1, min(int(last), _MOST_LINES) + 1))

    def _tell_size(self, _: str) -> str:
        return f"{self._size[0]} columns, {self._size[1]} rows\n"

    def _stty(self, _: str) -> str:
        return ""  # the size comes with the connection

    def _exit(self, _: str) -> str:
        self.is_over = True
        return "logout\n"


_COMMANDS: dict[str, Callable[[Terminal, str], str]] = {
    "help": Terminal._help,
    "echo": Terminal._echo,
    "ls": Terminal._ls,
    "date": Terminal._date,
    "whoami": Terminal._whoami,
    "clear": Terminal._clear,
    "seq": Terminal._seq,
    "size": Terminal._tell_size,
    "stty": Terminal._stty,
    "exit": Terminal._exit,
}
