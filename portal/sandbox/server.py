"""The sandbox as a server: `with server.Sandbox() as sandbox: ...`. It plays each response on the socket."""

import ipaddress
import logging
import os
import signal
import socket
import struct
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any, Self

from portal.sandbox import names
from portal.sandbox.calls import Call
from portal.sandbox.connections import Connections, hide_token
from portal.sandbox.provider import Provider
from portal.sandbox.responses import Reply
from portal.sandbox.store import Store

logger = logging.getLogger("portal.sandbox")
# SIGHUP too: a closed terminal is no reason to break off an answer.
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

LIFETIME = 604_800.0  # seconds: seven days, the longest end that the form offers


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out as two writes; together with delayed acknowledgements Nagle would cost 40 ms an answer.
    disable_nagle_algorithm = True
    timeout = 60

    def __init__(self, provider: Provider, *args: Any) -> None:
        self.provider = provider
        super().__init__(*args)

    def handle(self) -> None:
        """Serve the connection until it ends; that clients break theirs is what a sandbox is for."""
        with suppress(OSError):
            super().handle()

    def respond(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError  # the client left in the middle of its request
        path, _, query = self.path.partition("?")
        key = self.headers.get("Authorization", "")
        # Taken out here, so that no record can show it.
        del self.headers["Authorization"]
        call = Call(method=self.command, path=path, query=query, key=key, headers=dict(self.headers), body=body)
        exchange = self.provider.answer(call)
        how, reply = exchange.response.how, exchange.reply
        shown = reply.status if how == "answer" else how
        logger.info("%s %s: %s", self.command, hide_token(path), shown)
        if how != "answer" or self.provider.stopping.is_set():
            self.close_connection = True
        getattr(self, f"play_{how}")(reply)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """What the standard library looks for is `do_` and the method: each is answered, those unknown to it too."""
        if name.startswith("do_"):
            return self.respond
        raise AttributeError(name)

    def version_string(self) -> str:
        """The Server header; whoever started the process knows it by a nonce."""
        return f"sandbox {os.environ.get('SANDBOX_NONCE', '')}".strip()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.provider.store.tell_time())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `respond` writes one line a request, and never a header."""

    # --- Writing ---

    def send_head(self, reply: Reply, **framing: str) -> None:
        framing = {name.replace("_", "-"): value for name, value in framing.items()}
        self.send_response(reply.status)
        for name, value in ({"Content-Type": reply.content_type} | framing | reply.headers).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def play_answer(self, reply: Reply) -> None:
        if reply.stream is None:
            self.send_head(reply, Content_Length=str(len(reply.body)))
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            return
        self.close_connection = True  # where it ends: its length is not known
        self.send_head(reply)
        for piece in reply.stream:
            self.wfile.write(piece)

    def play_hang(self, _: Reply) -> None:
        """Say nothing until the client leaves, or until the server stops and ends our reading side."""
        self.connection.settimeout(None)
        while self.connection.recv(65536):
            pass

    def play_reset(self, _: Reply) -> None:
        """Break the connection: closed with a linger of zero, it goes down with a RST instead of a FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The reader holds the socket too; the server's own way to close would send a FIN first.
        self.rfile.close()
        self.connection.close()


class _Server(ThreadingTCPServer):
    """A thread a connection, and a way to end them all without breaking off an answer."""

    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._connections: set[socket.socket] = set()
        # The handler needs the provider, which needs the port: `Sandbox` puts it in before anything is served.
        super().__init__((host, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        logger.exception("The sandbox failed to answer.")

    def server_close(self) -> None:
        """End the reading side of every connection, so that idle ones close, and wait for the answers begun."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        super().server_close()


def is_loopback(host: str) -> bool:
    """Whether the name or address leads to this machine whatever a resolver says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Sandbox:
    """The imitation of the provider. It listens as soon as it is made, and answers once it is started.

    Only on loopback: whoever reaches it can use it. Every `look_every` seconds it looks whether it is to stop.
    """

    handler_class: type[Handler] = Handler
    store_class: type[Store] = Store
    provider_class: type[Provider] = Provider

    def __init__(
        self,
        *,
        port: int = 0,
        connections_port: int = 0,
        host: str = "127.0.0.1",
        path: Path | None = None,
        api_key: str = names.DEFAULT_API_KEY,
        lifetime: float = LIFETIME,
        file_every: float = 4.0,
        log_every: float = 2.0,
        look_every: float = 0.05,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"The sandbox listens on loopback only, not on {host}.")
        self._server = _Server(host, port)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_address[1]}"
        self.base_url = f"{self.url}/v1"
        with ExitStack() as opened:
            opened.callback(self._server.server_close)
            store = self.store_class(path=path, lifetime=lifetime, file_every=file_every, url=self.url, clock=clock)
            opened.callback(store.close)
            connections = Connections(store=store, url=self.url, host=host, port=connections_port, log_every=log_every)
            opened.pop_all()
        self.provider = self.provider_class(store=store, connections=connections, api_key=api_key)
        self._server.RequestHandlerClass = partial(self.handler_class, self.provider)
        self._thread: threading.Thread | None = None
        self._look_every = look_every
        self._stopped = False

    def start(self) -> Self:
        self.provider.connections.start()
        serve = partial(self._server.serve_forever, poll_interval=self._look_every)
        self._thread = threading.Thread(target=serve, name="sandbox", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Accept nothing more, finish the answers begun (delayed and held ones at once), cut what would never end."""
        if self._stopped:
            return
        self._stopped = True
        if self._thread is not None:
            self._server.shutdown()
        self.provider.stop()
        self.provider.connections.stop()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join()
        self.provider.store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="A loopback address.")
    parser.add_argument("--port", type=int, default=names.DEFAULT_PORT)
    parser.add_argument("--connections-port", type=int, default=0, help="Of desktops and terminals; 0: any free one.")
    parser.add_argument("--data", dest="path", type=Path, help="Its SQLite file; else it forgets all at its end.")
    parser.add_argument("--lifetime", type=float, default=LIFETIME, help="Seconds that a workstation lives.")
