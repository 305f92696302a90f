"""The record of every POST that the sandbox received, and how it was answered."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from portal.sandbox import paging
from portal.sandbox.database import Database


class Posts:
    """The POSTs received, in their order."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def receive(self, *, headers: Mapping[str, str], authorized: bool, body: bytes) -> int:
        """Note a POST before anything is done about it; returns its sequence."""
        text = body.decode("utf-8", "replace")
        with self._database.lock, self._database.connection as connection:
            cursor = connection.execute(
                "INSERT INTO posts (received_at, headers, authorized, body) VALUES (?, ?, ?, ?)",
                (self._clock(), json.dumps(dict(headers)), authorized, text),
            )
        return int(cursor.lastrowid or 0)

    def finish(self, sequence: int, answered: int | str) -> None:
        """Note how a POST was answered: the status, or how it ended without one."""
        with self._database.lock, self._database.connection as connection:
            connection.execute("UPDATE posts SET answered = ? WHERE sequence = ?", (json.dumps(answered), sequence))

    def count(self) -> int:
        """How many POSTs were received."""
        with self._database.lock:
            return int(self._database.all("SELECT count(*) FROM posts")[0][0])

    def describe(self) -> list[dict[str, Any]]:
        """Every POST with the workstation that it made, oldest first."""
        with self._database.lock:
            rows = self._database.all(
                "SELECT posts.*, workstations.uid AS made FROM posts"
                " LEFT JOIN workstations ON workstations.post = posts.sequence ORDER BY posts.sequence"
            )
        return [
            {
                "sequence": row["sequence"],
                "time": paging.write_time(row["received_at"]),
                "headers": json.loads(row["headers"]),
                "authorized": bool(row["authorized"]),
                "body": row["body"],
                "answered": None if row["answered"] is None else json.loads(row["answered"]),
                "made": row["made"],
            }
            for row in rows
        ]
