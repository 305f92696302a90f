"""This terminal as that of a workstation.

How the shell is told the size of the window is not documented by AgentStation, so it is told in its own words, by
`stty`, and only while it shows a prompt: what is typed into another program would be taken for its input.
"""

import asyncio
import codecs
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from wsp.failures import Unreachable, WrongUse

if sys.platform != "win32":
    import termios
    import tty

LEAVE = b"\x1d"  # Ctrl-]
_PROMPT = re.compile(rb"[$#] (?:\x1b\[[0-9;?]*[a-zA-Z])*\Z")
# What a program that was cut off has left set: the other screen, reports of the mouse, a hidden cursor.
_PLAIN = b"\x1b[?1049l\x1b[?1000;1002;1003;1004;1006;2004l\x1b[?25h\r\n"


def check() -> None:
    if sys.platform == "win32" or not sys.stdin.isatty():
        raise WrongUse("This needs a terminal (on Linux or macOS), and no pipe.")


def run(address: str) -> str:
    """Until somebody leaves; what the workstation said at the end. Raises Unreachable."""
    try:
        return asyncio.run(_Session().run(address))
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError):
        # Their words may have the address, which is a secret.
        raise Unreachable("The workstation's terminal cannot be reached.", "Try again.") from None


class _Session:
    def __init__(self) -> None:
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._is_told = False  # whether the shell knows the size of the window
        self._shown, self._is_text = b"", False  # what came last
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def run(self, address: str) -> str:
        async with connect(address, max_size=None) as socket:
            with _raw_terminal():
                loop = asyncio.get_running_loop()
                loop.add_reader(0, self._read_keys)
                loop.add_signal_handler(signal.SIGWINCH, self._resize)
                sending = asyncio.create_task(self._send_typed(socket))
                receiving = asyncio.create_task(self._show(socket))
                await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
                loop.remove_reader(0)
                for task in (sending, receiving):
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    return await receiving
        return ""

    def _read_keys(self) -> None:
        self._typed.put_nowait(os.read(0, 65536) or LEAVE)

    def _resize(self) -> None:
        self._is_told = False
        self._tell_size()

    def _tell_size(self) -> None:
        if not self._is_told and _PROMPT.search(self._shown):
            self._is_told = True
            size = os.get_terminal_size(0)
            self._typed.put_nowait(b" stty cols %d rows %d\r" % (size.columns, size.lines))

    async def _send_typed(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                keys, sep, _ = (await self._typed.get()).partition(LEAVE)
                if keys:
                    self._shown = b""  # the prompt is not empty any more
                    # In the kind of frame that came last: which one is expected is not documented either.
                    await socket.send(self._decoder.decode(keys) if self._is_text else keys)
                if sep:
                    return

    async def _show(self, socket: ClientConnection) -> str:
        try:
            while True:
                message = await socket.recv()
                self._is_text = isinstance(message, str)
                shown = message.encode() if isinstance(message, str) else message
                _write(shown)
                self._shown = (self._shown + shown)[-64:]
                self._tell_size()
        except ConnectionClosed as closed:
            return closed.rcvd.reason if closed.rcvd else "The connection broke off."


def _write(shown: bytes) -> None:
    while shown:
        shown = shown[os.write(1, shown) :]


@contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        _write(_PLAIN)
