"""gunicorn's threads, which see a request only once all of it is there.

By itself gunicorn gives a new connection a thread, which then waits for the request, for its body, and for the client
to take the answer, without end: sixteen half-sent requests stop the portal. And its loop, which accepts connections,
waits up to two seconds for each client that does not close one. Here the loop collects requests, and gives a thread
only to one that is whole; the thread waits for its client only while it sends what is no file; the loop sends the rest
of a file, and sees the client off. Forms, and the page that a new request's form leads to, have threads of their own,
which let other pages go first: while many send one, those go on. Whoever is unknown here has few threads, which let
members go first: a flood of sign-ins leaves them their pages.
"""

import fcntl
import re
import socket
import sys
import termios
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn import util
from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal import environment, settings
from portal.web.arrival import Arrival
from portal.web.client_socket import ClientSocket

ARRIVE_WITHIN = 10.0  # seconds for a whole request
SEND_WITHIN = 30.0  # seconds for one piece of an answer, which is a page or some hundred lines of an export
# The kernel keeps a whole page that is on its way, so that no thread waits for a slow reader of one.
_SEND_BUFFER = 256 * 1024  # bytes
# Who asks for more before that much of the last answer is taken would fill that buffer, and then hold a thread.
_MOST_NOT_TAKEN = 16 * 1024  # bytes
_PIECE = 16 * 1024  # bytes
_MOST_LEFT_UNREAD = 1024 * 1024  # bytes of a refused body that are let pass, so that its sender gets to read why
# Before a process that has many connections takes another one: where many come at once, the quicker of two would take
# up to 107 of 150, which then wait longest. In a flood none hesitates.
_HESITATE = 0.001  # seconds
_FLOOD = 1 / 2  # of the most connections
# Threads for whoever shows no cookie of somebody who is or was signed in, true or not.
_STRANGERS = 2
_FORMS = 1 / 3  # of the other threads
# Python gives each thread that is busy as much of the processor as any other, so one of strangers first waits until no
# member is being answered, and one of forms until no page is, but not for ever: an export or a password takes long.
GIVE_WAY, FORMS_GIVE_WAY = 0.25, 0.05  # seconds; nearly all pages take less
_IS_KNOWN = re.compile(
    rb"^(?:GET|HEAD) /(?:healthz|readyz)[ ?]|\r\nCookie:[^\r\n]*\b(?:%b|%b)="
    % (settings.SESSION_COOKIE_NAME.encode(), settings.BROWSER_COOKIE.encode()),
    re.IGNORECASE,
)
# Not a download, which takes long. Browsers name the form where it has led to the page of a request.
_IS_FORM = re.compile(
    rb"POST (?![^\s?]*/(?:export|evidence)\.)|GET /requests/[0-9]+/ .*\r\nReferer:[^\r\n]*/requests/new/",
    re.IGNORECASE | re.DOTALL,
)
_CARRY_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Received(Unreader):  # type: ignore[misc]  # gunicorn has no types
    """What a request's parser reads from: what is there, never the connection."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        """There is no more: the parser or a view would otherwise wait for it."""
        raise NoMoreData


class Connection(TConn):  # type: ignore[misc]
    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.init()
        self.parser.unreader = Received()
        self.arrival = Arrival()
        self.left_unread = 0


class Answering:
    """What is being answered. Only the loop changes it; threads may wait until all of it is done."""

    def __init__(self) -> None:
        self._futures: set[Future[bool]] = set()
        self.are_done = threading.Event()
        self.are_done.set()

    def add(self, future: Future[bool]) -> Future[bool]:
        self._futures.add(future)
        self.are_done.clear()
        return future

    def discard(self, future: Future[bool]) -> None:
        self._futures.discard(future)
        if not self._futures:
            self.are_done.set()


class Worker(ThreadWorker):  # type: ignore[misc]
    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse TLS: what arrives is read before anything could decrypt it."""
        if cfg.is_ssl:
            environment.stop("gunicorn ends no TLS here: a proxy before it does (docs/proxy.md).")
        super().check_config(cfg, log)

    def get_thread_pool(self) -> ThreadPoolExecutor:
        self._strangers = ThreadPoolExecutor(max_workers=_STRANGERS)
        forms = max(1, round(self.cfg.threads * _FORMS))
        self._forms = ThreadPoolExecutor(max_workers=forms)
        self._members, self._pages = Answering(), Answering()
        return ThreadPoolExecutor(max_workers=max(1, self.cfg.threads - forms))

    # --- Called by gunicorn's loop ---

    def accept(self, listener: socket.socket) -> None:
        if self.cfg.workers > 1 and self.cfg.threads < self.nr_conns < self.worker_connections * _FLOOD:
            time.sleep(_HESITATE)
        try:
            connection, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another process was quicker, or the client has gone
            return
        self.nr_conns += 1
        client = ClientSocket(fileno=connection.detach())
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        """Begin to collect a request: the connection is new, or has something again after an answer."""
        conn.arrival = Arrival()
        self._await(conn, self._receive)

    def finish_request(self, conn: Connection, fs: "Future[bool]") -> None:
        """A thread has answered. gunicorn would end a connection by waiting in the loop until the client does."""
        self._members.discard(fs)
        self._pages.discard(fs)
        if conn.sock.has_unsent:
            self._await(conn, partial(self._send_on, fs), EVENT_WRITE)
        elif fs.cancelled() or fs.exception() or not fs.result():
            self._see_off(conn)
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close what has had its time, and where there are too many, what has waited longest for its client."""
        super().murder_pending()
        while self.nr_conns >= self.worker_connections and self.pending_conns:
            self._drop(self.pending_conns[0])

    def _cap_keepalive(self, deadline: float) -> None:
        """The process is to end: what is not here by then does not come."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    # --- Called on a thread ---

    def _handle_after(self, others: Answering, seconds: float, conn: Connection) -> bool:
        others.are_done.wait(seconds)
        return bool(self.handle(conn))

    def handle_request(self, req: Any, conn: Connection) -> bool:
        conn.sock.settimeout(SEND_WITHIN)
        req._expected_100_continue = False  # the loop has said it, or a body that nobody reads is not to be sent
        if conn.arrival.is_last:
            req.force_close()
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.info("A client was too slow to take an answer.")
            return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        client.settimeout(SEND_WITHIN)
        super().handle_error(req, client, addr, exc)

    # --- Waiting for clients ---

    def _await(
        self, conn: Connection, act: Callable[[Connection, ClientSocket], None], event: int = EVENT_READ
    ) -> None:
        """Let the loop act once the client sends or takes something, for as long as `murder_pending` lets it wait."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + ARRIVE_WITHIN
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, event, partial(act, conn))

    def _stop_waiting(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _receive(self, conn: Connection, connection: ClientSocket) -> None:
        if not (data := _read(connection)):
            self._drop(conn)
            return
        conn.arrival.add(data)
        if conn.arrival.is_whole and _count_not_taken(connection) > _MOST_NOT_TAKEN:
            self._drop(conn)
        elif conn.arrival.is_whole:
            self._stop_waiting(conn)
            conn.parser.unreader.unread(bytes(conn.arrival.received))
            self._answer(conn)
        elif conn.arrival.is_too_long:
            self._stop_waiting(conn)
            # A client that has gone, or takes nothing, must not end the loop.
            with suppress(OSError):
                util.write_error(connection, 431, "Request Header Fields Too Large", "")
            self._see_off(conn)
        elif conn.arrival.take_question():
            try:
                connection.send(_CARRY_ON)
            except OSError:
                self._drop(conn)

    def _answer(self, conn: Connection) -> None:
        if not _IS_KNOWN.search(conn.arrival.received):
            future = self._strangers.submit(self._handle_after, self._members, GIVE_WAY, conn)
        elif _IS_FORM.match(conn.arrival.received):
            form = self._forms.submit(self._handle_after, self._pages, FORMS_GIVE_WAY, conn)
            future = self._members.add(form)
        else:
            future = self._members.add(self._pages.add(self.tpool.submit(self.handle, conn)))
        # In the loop: connections and what is known of them are its own.
        future.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def _send_on(self, fs: "Future[bool]", conn: Connection, connection: ClientSocket) -> None:
        try:
            connection.send_on()
        except OSError:
            self._drop(conn)
        else:
            self._stop_waiting(conn)
            self.finish_request(conn, fs)

    def _see_off(self, conn: Connection) -> None:
        """Say that there is no more to come, and wait for the client to go: it may not have read everything yet."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            self._await(conn, self._let_pass)
        except OSError:
            self.nr_conns -= 1
            conn.close()

    def _let_pass(self, conn: Connection, connection: ClientSocket) -> None:
        data = _read(connection)
        conn.left_unread += len(data)
        if not data or conn.left_unread > _MOST_LEFT_UNREAD:
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        self.nr_conns -= 1
        conn.close()


def _count_not_taken(connection: socket.socket) -> int:
    """The bytes that are still on their way to the client; none where the system cannot say."""
    try:
        return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def _read(connection: socket.socket) -> bytes:
    """What has come; nothing where the client has gone."""
    try:
        return connection.recv(_PIECE)
    except OSError:
        return b""
