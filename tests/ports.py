"""Ports for the servers that tests start."""

import secrets
import socket

_KEPT = range(20_000, 32_000)  # by Linux for servers: no outgoing connection is given one
_given: set[int] = set()


def find_port(count: int = 1) -> int:
    """The first of so many that are free one after the other, and that this process has given to no other server."""
    while True:
        first = secrets.choice(_KEPT)
        found = range(first, first + count)
        if _given.isdisjoint(found) and not any(map(_is_taken, found)):
            _given.update(found)
            return first


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
