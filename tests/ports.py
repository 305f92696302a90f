"""Ports for the servers that tests start."""

import secrets
import socket

_KEPT = range(20_000, 32_000)  # by Linux for servers: no outgoing connection is given one
_given: set[int] = set()


def find_port() -> int:
    """A port that is free, and that this process has given to no other server."""
    while True:
        port = secrets.choice(_KEPT)
        with socket.socket() as probe:
            if port not in _given and probe.connect_ex(("127.0.0.1", port)) != 0:
                _given.add(port)
                return port
