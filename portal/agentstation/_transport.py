"""One HTTP exchange with two things that requests does not give: a bound on the whole of it, and its facts.

`Call` carries both: the time that is left, and whether the connection was ever made. It is handed to the connection
that urllib3 opens, which notes the fact itself, so that nothing has to be inferred from an exception's class: an
untrusted certificate and garbage after the request raise the same one.

Every exchange has a connection of its own: a pooled one that the provider has closed meanwhile would look like "sent".
"""

import contextlib
import http.client
import io
import os
import socket
import time
import zlib
from collections.abc import Buffer, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

LARGEST_BODY = 1024 * 1024
LARGEST_PAGE = 16 * LARGEST_BODY  # of a list: read, and not kept
_LONGEST_SILENCE = 300.0  # seconds, in a stream

# All that the libraries raise over a broken or hostile peer; ValueError is http.client's, over a negative chunk size.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


def boottime() -> float:
    """Seconds on a clock that also runs while the machine sleeps (CLOCK_BOOTTIME, else the monotonic clock)."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:
        return time.monotonic()


class TooLateError(Exception):
    """A connection must no longer send. It is no OSError, so that urllib3 and requests let it pass as it is."""


class Call:
    """The time that one exchange has, and what became of it.

    `connected` is True once TCP, a proxy's tunnel and TLS all stand; `why_not` says what prevented it.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        total_timeout: float,
        send_before: float | None,
        may_send: Callable[[float], bool] | None = None,
    ) -> None:
        self.connected = False
        self.why_not = "the proxy or the CA bundle that the environment names cannot be used"
        self._connect_timeout = connect_timeout
        self._send_before = send_before
        self._may_send = may_send
        # The monotonic clock stands while a machine sleeps: a response that came meanwhile can still be read.
        self._ends_at = time.monotonic() + total_timeout

    def is_over(self) -> bool:
        """Whether the call's time is used up."""
        return time.monotonic() >= self._ends_at

    def remaining(self) -> float:
        """The seconds that are left, more than 0; raises TimeoutError where there are none."""
        if (left := self._ends_at - time.monotonic()) <= 0:
            raise TimeoutError("timed out")
        return left

    def renew(self, seconds: float) -> None:
        """Have the time end so many seconds from now."""
        self._ends_at = time.monotonic() + seconds

    def for_connecting(self) -> float:
        """The seconds that connecting may take; raises TimeoutError where none are left."""
        return min(self._connect_timeout, self.remaining())

    def check_may_send(self) -> None:
        """Raise TooLateError where `send_before` has passed, or where `may_send` says no.

        That is asked once, when the connection stands: what a proxy is sent before says nothing of the call.
        """
        self._check_time()
        if self.connected and self._may_send is not None:
            may_send, self._may_send = self._may_send, None
            if not may_send(self._ends_at - time.monotonic()) or self.is_over():
                raise TooLateError
            self._check_time()  # again, for whoever was asked may have taken long

    def _check_time(self) -> None:
        if self._send_before is not None and boottime() > self._send_before:
            raise TooLateError


class _BoundReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call
        # It counts as a user of the socket, which stays open for it when the connection is closed first.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int | None:
        self._sock.settimeout(self._call.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundSocket:
    """What http.client and urllib3 use of a connected socket, TLS or not, bound to the call's time.

    A socket's own timeout bounds one read or write, so a peer that drips a byte a second would never meet it. Python's
    TLS counts one timeout for a whole record or write, so this holds there too.
    """

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call

    def sendall(self, data: Buffer) -> None:
        self._sock.settimeout(self._call.remaining())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The response's bytes: http.client asks for nothing but "rb"."""
        return io.BufferedReader(_BoundReader(self._sock, self._call))

    def settimeout(self, timeout: float | None) -> None:
        """Nothing: urllib3 would set its own timeout before it reads, and only the call's counts."""

    def shutdown(self, how: int) -> None:
        socket.socket.shutdown(self._sock, how)  # TLS's own takes its state away from a thread that reads

    def close(self) -> None:
        self._sock.close()


class _Connection(HTTPConnection):
    # http.client prints every header, the key among them, where somebody sets this on its class.
    debuglevel = 0

    def __init__(self, *args: Any, call: Call, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._call = call

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:
            self._call.why_not = str(error.__cause__ or error)
            raise
        self._bind()
        self._call.connected = True

    def send(self, data: Any) -> None:
        # urllib3 sends the headers and the body apart, each through here, so that each is checked.
        if self.sock is None:
            self.connect()
        self._call.check_may_send()
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """A TCP connection to the first address that takes one. urllib3's own gives each address the full time."""
        problem = OSError("the host has no address")
        try:
            # The one step without a bound: the resolver has its own timeouts (resolv.conf), and no way to be stopped.
            found = socket.getaddrinfo(self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM)
            for family, kind, protocol, _, address in found:
                try:
                    return self._open(socket.socket(family, kind, protocol), address)
                except OSError as error:
                    problem = error
        except OSError as error:
            problem = error
        # Not as an OSError: for plain HTTP urllib3 would pass over a "connection reset" here and read from no socket.
        raise NewConnectionError(self, str(problem)) from problem

    def _open(self, sock: socket.socket, address: Any) -> socket.socket:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self._call.for_connecting())
            sock.connect(address)
            # The TLS handshake that may follow is one step more, and takes its time from the socket.
            sock.settimeout(self._call.for_connecting())
        except OSError:
            sock.close()
            raise
        return sock

    def _tunnel(self) -> None:
        plain = self.sock
        self._bind()
        super()._tunnel()
        plain.settimeout(self._call.for_connecting())

    def _bind(self) -> None:
        self.sock = cast(socket.socket, _BoundSocket(self.sock, self._call))


class _TLSConnection(_Connection, HTTPSConnection):
    """The same over TLS: `connect()` returns when the handshake is through and the certificate is trusted."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    def __init__(self, *, call: Call) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.poolmanager.pool_classes_by_scheme = _POOLS
        self._call = call

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        # Others need connection classes of their own (SOCKS), or TLS within TLS, whose reads cannot be bounded.
        if not proxy.lower().startswith("http://"):
            raise requests.exceptions.InvalidSchema
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        # What a pool hands to each connection that it makes.
        pool.conn_kw["call"] = self._call
        return pool


class Stream:
    """A body that goes on for as long as the provider wants. `pieces` are read by one thread, as they come; they end
    with it, where the connection breaks, after five minutes of silence, and with `stop`."""

    def __init__(self, response: requests.Response, call: Call) -> None:
        self.pieces, self._has_stopped = self._read(), False
        self._response, self._call = response, call

    def stop(self) -> None:
        """Have the thread that reads come to the end; any other may say so."""
        self._has_stopped = True  # for what has come already, or comes all the same
        with contextlib.suppress(*FAILURES, RuntimeError):  # it is there already
            self._response.raw.shutdown()

    def close(self) -> None:
        """Stop reading, and give the connection back."""
        self.stop()
        self._response.close()

    def _read(self) -> Iterator[bytes]:
        with contextlib.suppress(*FAILURES):
            self._call.renew(_LONGEST_SILENCE)
            while (piece := self._response.raw.read1(2**16, decode_content=False)) and not self._has_stopped:
                yield piece
                self._call.renew(_LONGEST_SILENCE)


@dataclass(frozen=True, kw_only=True)
class Received:
    status: int
    body: bytes
    truncated: bool
    retry_after: str | None
    date: str | None
    stream: Stream | None


def bound(*, session: requests.Session, total_timeout: float) -> None:
    """Give a session that makes one exchange, with whomever, these seconds in all, and LARGEST_BODY for the answer.

    That counts what is decompressed. Beyond either, the session raises an OSError, as requests' own are.
    """
    adapter = _Adapter(call=Call(connect_timeout=total_timeout, total_timeout=total_timeout, send_before=None))

    def read(response: requests.Response, **_kwargs: object) -> None:
        try:
            with contextlib.closing(response.raw) as raw:
                body = raw.read(LARGEST_BODY + 1, decode_content=True)
        except FAILURES as error:
            raise requests.ConnectionError(error) from error
        if len(body) > LARGEST_BODY:
            raise requests.ConnectionError("the answer is too long")
        response.raw = io.BytesIO(body)

    session.hooks["response"] = [read]
    for scheme in _POOLS:
        session.mount(f"{scheme}://", adapter)


def exchange(*, request: requests.PreparedRequest, call: Call, largest: int, may_stream: bool) -> Received:
    """Send the request and read the response up to `largest` bytes, on a connection that is closed afterwards.

    Raises TooLateError, or one of FAILURES; what was sent by then, `call` says. No redirect is followed and no `.netrc`
    is read: both are the work of requests' Session, which is not used. An event stream, where there may be one, is not
    read here: it has the connection until it is closed.
    """
    adapter = _Adapter(call=call)
    url = str(request.url)
    # Plain HTTP is for a sandbox beside us; its bearer is not shown to a proxy.
    proxies = get_environ_proxies(url) if url.startswith("https:") else {}
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    stream, body, truncated = None, b"", False
    try:
        response = adapter.send(request, stream=True, timeout=call.remaining(), verify=bundle, proxies=proxies)
        headers = response.headers
        # One that is encoded, which nobody asked for, may hide the key.
        may_stream = may_stream and response.status_code == 200 and "Content-Encoding" not in headers
        if may_stream and headers.get("Content-Type", "").lower().startswith("text/event-stream"):
            stream = Stream(response, call)
        else:
            with contextlib.closing(response):
                body, truncated = _read_body(response, largest)
    finally:
        adapter.close()
    return Received(
        status=response.status_code,
        body=body,
        truncated=truncated,
        retry_after=headers.get("Retry-After"),
        date=headers.get("Date"),
        stream=stream,
    )


def _read_body(response: requests.Response, largest: int) -> tuple[bytes, bool]:
    """The body, decompressed, up to `largest`, and whether there was more; urllib3 raises where some is missing."""
    body = bytearray()
    while len(body) <= largest and (some := response.raw.read(largest + 1 - len(body), decode_content=False)):
        body += some
    plain = bytes(body)
    if response.headers.get("Content-Encoding"):  # which nobody asked for
        with contextlib.suppress(zlib.error):  # neither gzip nor zlib: it stays as it is
            plain = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS).decompress(plain, largest + 1)
    return plain[:largest], max(len(body), len(plain)) > largest
