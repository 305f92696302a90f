"""A provider made of a raw socket: every connection is handled by a function of the test's, which may do anything."""

import contextlib
import queue
import re
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

type Handler = Callable[["Connection"], None]


class Connection:
    """One connection at the server's end. `stopping` is set when the test is over."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self.stopping = stopping
        self.received = b""

    def read_request(self) -> bytes:
        """Read a whole request, or as much as comes before the other end closes."""
        while not self._is_complete() and (some := self.sock.recv(65536)):
            self.received += some
        return self.received

    def _is_complete(self) -> bool:
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        return bool(end) and len(body) >= int(length[1] if length else 0)

    def read_to_end(self) -> None:
        while some := self.sock.recv(65536):
            self.received += some

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close with RST in the place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.sock = context.wrap_socket(self.sock, server_side=True)


class Server:
    """Listens on a port of loopback; connection number n meets handler number n, and further ones the last."""

    def __init__(self, *handlers: Handler) -> None:
        self._handlers = handlers
        self._accepted: queue.Queue[tuple[Connection, threading.Thread]] = queue.Queue()
        self._stopping = threading.Event()
        self.has_accepted = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.tls_url = f"https://127.0.0.1:{self.port}/v1"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def received(self) -> bytes:
        """All that the next connection brought, in the order of their coming, once it is over."""
        connection, thread = self._accepted.get(timeout=30)
        thread.join(timeout=30)
        return connection.received

    def connections(self) -> int:
        return len(self._threads) - 1

    def close(self) -> None:
        self._stopping.set()
        # Wakes the accept, which closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=30)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            handler = self._handlers[min(self.connections(), len(self._handlers) - 1)]
            sock.settimeout(30)
            connection = Connection(sock, self._stopping)
            thread = threading.Thread(target=self._handle, args=(handler, connection))
            self._threads.append(thread)
            self.has_accepted.set()
            thread.start()
            self._accepted.put((connection, thread))

    def _handle(self, handler: Handler, connection: Connection) -> None:
        # The other end may go away at any time: many tests are about that.
        with contextlib.suppress(OSError):
            handler(connection)
        connection.sock.close()


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def answering(data: bytes) -> Handler:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(data)

    return handle


def dripping(start: bytes, drop: bytes) -> Handler:
    """Reads the request, sends the start, and then one drop after another until the other end has enough."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        while not connection.stopping.wait(0.02):
            connection.send(drop)

    return handle


def over_tls(context: ssl.SSLContext, handler: Handler) -> Handler:
    def handle(connection: Connection) -> None:
        connection.start_tls(context)
        handler(connection)

    return handle


def reset_after_request(connection: Connection) -> None:
    connection.read_request()
    connection.reset()


def make_certificate(folder: Path) -> Path:
    """A file with a private key and the certificate it has signed itself, for 127.0.0.1."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=provider"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return folder / "both.pem"
