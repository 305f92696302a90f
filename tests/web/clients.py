"""Clients that speak HTTP byte by byte, and may stop at any of them."""

import socket
import ssl
import struct
from typing import ClassVar

PATIENCE = 30.0  # seconds; nothing here takes one, unless the server waits for a client
HOST = "portal.example"
MANY = 100  # more than there are threads


class Client:
    """A connection, open until it is closed or the test is over."""

    opened: ClassVar[list["Client"]] = []

    def __init__(
        self, port: int, *, window: int = 0, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        """`window` bytes at most are on the way to a client that does not read; `address` is its own."""
        self._socket = socket.socket()
        self._socket.settimeout(PATIENCE)
        if window:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self._socket.bind((address, 0))
        self._socket.connect(("127.0.0.1", port))
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=HOST)
        self.opened.append(self)

    def send(self, text: str) -> "Client":
        self._socket.sendall(text.encode())
        return self

    def send_head(self, path: str, *fields: str, method: str = "GET") -> "Client":
        return self.send("\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {HOST}", *fields, "", ""]))

    def read(self) -> str:
        """What has come, when something has; nothing where the server has ended the connection."""
        return self._socket.recv(65536).decode()

    def read_answer(self) -> str:
        """One answer of a connection that goes on; what was asked for says its length."""
        head, _, body = self.read().partition("\r\n\r\n")
        pieces, left = [body], int(head.partition("Content-Length: ")[2].partition("\r\n")[0]) - len(body)
        while left > 0:
            pieces.append(self.read())
            left -= len(pieces[-1])
        return "".join([head, "\r\n\r\n", *pieces])

    def read_all(self) -> str:
        return "".join(iter(self.read, ""))

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()


def ask(port: int, path: str = "/", *fields: str) -> str:
    """Returns the status."""
    client = Client(port).send_head(path, "Connection: close", *fields)
    answer = client.read()
    client.close()
    return answer.split(" ")[1]
