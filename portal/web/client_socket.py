"""A connection to a client that may be slow to take a file: nobody has to wait until all of it is sent."""

import errno
import os
import socket
from typing import IO, Any

_MOST_AT_ONCE = 1024 * 1024  # bytes


class ClientSocket(socket.socket):
    """A socket that never waits in `sendfile`: what is unsent then is sent on by `send_on`."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._file = -1  # a descriptor of our own, or none: whoever sends a file closes it
        self._offset = self._left = 0  # bytes

    @property
    def has_unsent(self) -> bool:
        return self._left > 0

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:  # type: ignore[override]
        """Begin to send the file; the socket does not block, or has a time limit."""
        self._file, self._offset = os.dup(file.fileno()), offset
        self._left = os.fstat(self._file).st_size - offset if count is None else count
        self.send_on()
        return self._offset - offset

    def send_on(self) -> None:
        """Send what the client takes now. Raises OSError where it has gone, or the file has become shorter."""
        try:
            while self._left:
                sent = os.sendfile(self.fileno(), self._file, self._offset, min(self._left, _MOST_AT_ONCE))
                if not sent:
                    raise OSError(errno.EIO, "The file has become shorter.")
                self._offset, self._left = self._offset + sent, self._left - sent
        except BlockingIOError:
            return
        self._forget_file()

    def sendall(self, *values: Any) -> None:
        """Send bytes; nothing is sent past the rest of a file."""
        if self.has_unsent:
            raise OSError(errno.EIO, "The file before it is not sent yet.")
        super().sendall(*values)

    def close(self) -> None:
        self._forget_file()
        super().close()

    def _forget_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._left = -1, 0
