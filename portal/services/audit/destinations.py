"""Where the audit log can be sent: standard output, a file, a syslog daemon, an https address."""

import http.client
import os
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

LONGEST = 25.0  # seconds that sending takes at most, but for the resolution of a name:
_STEP, _REST = 5.0, 15.0  # for one step of connecting, and for all that comes after both
_LOG_AUDIT = 13 * 8 + 6  # RFC 5424: facility and severity (informational)
FAILURES = (OSError, http.client.HTTPException)


class Line(NamedTuple):
    """One event as it is sent: a JSON text without a line break."""

    id: int
    time: str
    text: bytes


class Output:
    """Standard output; others extend it. `in_doubt`: seconds in which what was sent may be lost with the connection."""

    in_doubt = 0.0

    def __init__(self, url: SplitResult) -> None:
        self.url = url

    def send(self, lines: Sequence[Line]) -> None:
        """Send these; with none, look whether the connection still stands. Raises one of FAILURES."""
        sys.stdout.write(_join(lines).decode("ascii"))
        sys.stdout.flush()

    def close(self) -> None:
        """Drop the connection, where one is kept."""


class File(Output):
    def send(self, lines: Sequence[Line]) -> None:
        """Append, and wait for the disk. Raises OSError."""
        with open(self.url.path, "ab+", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            # Who was killed, or had no room, may have left half a line.
            if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                file.write(b"\n")
            file.write(_join(lines))
            file.flush()
            os.fsync(file.fileno())


class Https(Output):
    """An address that takes events by POST. No redirect is followed."""

    def send(self, lines: Sequence[Line]) -> None:
        """POST one CloudEvents batch. Raises OSError, for a status but 2xx too, or HTTPException."""
        if not lines:
            return
        headers = {"Content-Type": "application/cloudevents-batch+json", "User-Agent": "workstation-portal"}
        if settings.PORTAL_AUDIT_STREAM_TOKEN:
            headers["Authorization"] = f"Bearer {settings.PORTAL_AUDIT_STREAM_TOKEN}"
        body = b"[%b]" % b",".join(line.text for line in lines)
        make = http.client.HTTPConnection if self.url.scheme == "http" else http.client.HTTPSConnection
        with closing(make(self.url.netloc, timeout=_STEP)) as connection:
            connection.connect()
            with _bound(connection.sock):
                connection.request("POST", self.url._replace(scheme="", netloc="").geturl() or "/", body, headers)
                status = connection.getresponse().status
        if not 200 <= status < 300:
            raise ConnectionError(f"the answer was {status}")


class Syslog(Output):
    """The socket of a syslog daemon on this machine, by RFC 5424. It acknowledges nothing."""

    in_doubt = 30.0
    _socket: socket.socket | None = None

    def send(self, lines: Sequence[Line]) -> None:
        """Write RFC 5424 messages on one connection, which is kept. Raises OSError."""
        opened = self._socket or self._connect()
        header = f"<{_LOG_AUDIT}>1 %b {socket.gethostname()} workstation-portal - event - %b".encode()
        self._write(opened, [header % (line.time.encode(), line.text) for line in lines])

    def close(self) -> None:
        """Close the connection; the next lines open another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_STEP)
        self._socket.connect(self.url.path)
        return self._socket

    def _write(self, opened: socket.socket, messages: Sequence[bytes]) -> None:
        for message in [b"", *messages]:  # an empty one is refused where the daemon is another, and passed over
            opened.send(message)


class TlsSyslog(Syslog):
    """A syslog daemon elsewhere: RFC 5425, over TLS, with the length before each message."""

    def _connect(self) -> socket.socket:
        host = self.url.hostname or ""
        plain = socket.create_connection((host, self.url.port), timeout=_STEP)
        # What the other end has not confirmed by then breaks the connection while it is still in doubt.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.in_doubt * 500))
        self._socket = ssl.create_default_context().wrap_socket(plain, server_hostname=host)  # closes it where it fails
        return self._socket

    def _write(self, opened: socket.socket, messages: Sequence[bytes]) -> None:
        opened.settimeout(0)
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            if not opened.recv(4096):  # a write alone would not notice
                raise ConnectionError("the other end has closed the connection")
        with _bound(opened):
            opened.sendall(b"".join(b"%d %b" % (len(message), message) for message in messages))


def make_destination() -> Output:
    """The one that `PORTAL_AUDIT_STREAM` names, by its scheme."""
    url = urlsplit(settings.PORTAL_AUDIT_STREAM)
    kinds = {"stdout": Output, "file": File, "syslog+unix": Syslog, "syslog+tls": TlsSyslog}
    return kinds.get(url.scheme, Https)(url)


def _join(lines: Sequence[Line]) -> bytes:
    return b"".join(line.text + b"\n" for line in lines)


@contextmanager
def _bound(opened: socket.socket) -> Iterator[None]:
    """Cut the connection after a time: a peer that drips a byte a second would never meet a socket's own timeout."""
    opened.settimeout(_REST)
    timer = threading.Timer(_REST, opened.shutdown, [socket.SHUT_RDWR])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
