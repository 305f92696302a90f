"""The sandbox as a server, `with server.Sandbox() as sandbox: ...`, and in a process of its own."""

import ipaddress
import logging
import signal
import socket
import socketserver
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from portal.sandbox import names
from portal.sandbox.connections import Connections
from portal.sandbox.handler import Handler
from portal.sandbox.provider import Provider
from portal.sandbox.store import Store

logger = logging.getLogger("portal.sandbox")
# SIGHUP too: a closed terminal is no reason to break off an answer.
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Server(ThreadingHTTPServer):
    """A thread a connection, and a way to end them all without breaking off an answer."""

    # Two sandboxes on one port would share its calls; Python 3.14's default would allow that.
    allow_reuse_port = False
    request_queue_size = 256

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        # The handler needs the provider, which needs the port: `Sandbox` puts it in before anything is served.
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Bind without asking the resolver for our name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve the connection on a thread that we keep account of; a daemon, so a forgotten `stop` hangs nobody."""
        serve = partial(self._serve, request, client_address)
        thread = threading.Thread(target=serve, name="sandbox-connection", daemon=True)
        with self._lock:
            self._connections[thread] = request
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._connections[threading.current_thread()]

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        logger.exception("The sandbox failed to answer.")

    def end_connections(self) -> None:
        """End the reading side of every connection, so that idle ones close, and wait for the answers begun."""
        with self._lock:
            connections = list(self._connections.items())
        for _, connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for thread, _ in connections:
            thread.join()


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
        lifetime: float = 3600.0,
        file_every: float = 4.0,
        log_every: float = 2.0,
        look_every: float = 0.05,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"The sandbox listens on loopback only, not on {host}.")
        self._server = _Server(host, port)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}"
        self.base_url = f"{self.url}/v1"
        with ExitStack() as opened:
            opened.callback(self._server.server_close)
            store = self.store_class(path=path, lifetime=lifetime, file_every=file_every, url=self.url, clock=clock)
            opened.callback(store.close)
            connections = Connections(store=store, url=self.url, host=host, port=connections_port, log_every=log_every)
            opened.pop_all()
        self.provider = self.provider_class(store=store, connections=connections, api_key=api_key)
        self._server.RequestHandlerClass = partial(Handler, self.provider)
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
        self._server.end_connections()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join()
        self.provider.store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="A loopback address.")
    parser.add_argument("--port", type=int, default=names.DEFAULT_PORT)
    parser.add_argument("--connections-port", type=int, default=0, help="Of desktops and terminals; 0: any free one.")
    parser.add_argument("--data", dest="path", type=Path, help="Its SQLite file; else it forgets all at its end.")
    parser.add_argument("--lifetime", type=float, default=3600.0, help="Seconds that a workstation lives.")
