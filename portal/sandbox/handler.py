"""The sandbox on the wire: reads HTTP requests, and plays each response on its socket."""

import itertools
import logging
import os
import socket
import struct
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from portal.sandbox.calls import Call, Exchange
from portal.sandbox.connections import hide_token
from portal.sandbox.provider import Provider
from portal.sandbox.responses import How, Reply, reply_error

logger = logging.getLogger("portal.sandbox")

MOST_BYTES = 1024 * 1024
DRIP_EVERY = 1.0
# Answers that by HTTP's own rules have no body.
BODILESS = frozenset({204, 304})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A line too broken to carry a version is answered in full all the same.
    default_request_version = "HTTP/1.1"
    # Head and body go out as two writes; together with delayed acknowledgements Nagle would cost 40 ms an answer.
    disable_nagle_algorithm = True
    timeout = 60

    def __init__(self, provider: Provider, *args: Any) -> None:
        self._provider = provider
        super().__init__(*args)

    def handle(self) -> None:
        """Serve the connection until it ends; that clients break theirs is what a sandbox is for."""
        with suppress(OSError):
            super().handle()

    def respond(self) -> None:
        body, refusal = self._read_body()
        path, _, query = self.path.partition("?")
        key = self.headers.get("Authorization", "")
        # Taken out here, so that no record can show it.
        del self.headers["Authorization"]
        call = Call(
            method=self.command, path=path, query=query, key=key, headers=dict(self.headers), body=body, refusal=refusal
        )
        exchange = self._provider.answer(call)
        how = exchange.response.how
        shown = exchange.reply.status if how is How.ANSWER else how
        logger.info("%s %s: %s", self.command, hide_token(path), shown)
        self._play(exchange)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = respond  # noqa: N815

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """What the standard library has no way to handle: other methods, and requests that are not HTTP."""
        if code == 501:
            self.respond()
            return
        self.close_connection = True
        logger.info("A request that is not sound HTTP: %s", code)
        self._send(reply_error(code if code in (414, 431, 505) else 400, message or ""))

    def version_string(self) -> str:
        """The Server header; whoever started the process knows it by a nonce."""
        return f"sandbox {os.environ.get('SANDBOX_NONCE', '')}".strip()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self._provider.store.tell_time())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `respond` writes one line a request, and never a header."""

    # --- Reading ---

    def _read_body(self) -> tuple[bytes, Reply | None]:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            status = 411
        elif not (length.isascii() and length.isdigit() and len(length) < 18):
            status = 400
        elif int(length) > MOST_BYTES:
            status = 413
        else:
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                raise ConnectionAbortedError  # the client left in the middle of its request
            return body, None
        self.close_connection = True  # where the next request begins is not known
        return b"", reply_error(status)

    # --- Writing ---

    def _play(self, exchange: Exchange) -> None:
        how, reply = exchange.response.how, exchange.reply
        if how is not How.ANSWER or self._provider.stopping.is_set():
            self.close_connection = True
        match how:
            case How.ANSWER:
                self._send(reply)
            case How.HANG:
                self._hang()
            case How.RESET:
                self._reset()
            case How.TRUNCATE:
                self._send_head(reply, Content_Length=str(len(reply.body) + 1000))
                self.wfile.write(reply.body[: len(reply.body) // 2 + 1])
            case How.DRIP:
                self._drip(reply)

    def _send_head(self, reply: Reply, **framing: str) -> None:
        headers = {"Content-Type": reply.content_type}
        headers |= {name.replace("_", "-"): value for name, value in framing.items()}
        # Compared without regard to case, so that a response may replace any header, the framing included.
        own = {name.lower() for name in reply.headers}
        self.send_response(reply.status)
        for name, value in [*((n, v) for n, v in headers.items() if n.lower() not in own), *reply.headers.items()]:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, reply: Reply) -> None:
        if reply.stream is not None:
            self.close_connection = True  # where it ends: its length is not known
            self._send_head(reply)
            for piece in reply.stream:
                self.wfile.write(piece)
            return
        if reply.status in BODILESS:
            self._send_head(reply)
            return
        self._send_head(reply, Content_Length=str(len(reply.body)))
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _hang(self) -> None:
        """Say nothing until the client leaves, or until the server stops and ends our reading side."""
        self.connection.settimeout(None)
        while self.connection.recv(65536):
            pass

    def _reset(self) -> None:
        """Break the connection: closed with a linger of zero, it goes down with a RST instead of a FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The reader holds the socket too; the server's own way to close would send a FIN first.
        self.rfile.close()
        self.connection.close()

    def _drip(self, reply: Reply) -> None:
        """A byte of the answer at a time, then spaces, until the client leaves or the server stops."""
        self._send_head(reply, Transfer_Encoding="chunked")
        letters = itertools.chain(reply.body, itertools.repeat(ord(" ")))
        self.wfile.write(b"1\r\n%c\r\n" % next(letters))
        while not self._provider.stopping.wait(DRIP_EVERY):
            self.wfile.write(b"1\r\n%c\r\n" % next(letters))
