"""The record of every POST that the provider received, and how it was answered."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from portal.sandbox import paging
from portal.sandbox.database import Database
from portal.sandbox.provider import POST

SCHEMA = """
CREATE TABLE IF NOT EXISTS posts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, received_at REAL NOT NULL, operation TEXT NOT NULL,
    workstation TEXT NOT NULL, headers TEXT NOT NULL, authorized INTEGER NOT NULL, body TEXT NOT NULL, answered TEXT,
    made TEXT
);
CREATE INDEX IF NOT EXISTS posts_by_made ON posts (made);
"""


class Posts:
    """The POSTs received, in their order."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        database.connection.executescript(SCHEMA)

    def receive(
        self, operation: str, *, workstation: str, headers: Mapping[str, str], authorized: bool, body: bytes
    ) -> int:
        text = body.decode("utf-8", "replace")
        with self._database.lock, self._database.connection as connection:
            cursor = connection.execute(
                "INSERT INTO posts (received_at, operation, workstation, headers, authorized, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (self._clock(), operation, workstation, json.dumps(dict(headers)), authorized, text),
            )
        return int(cursor.lastrowid or 0)

    def link_newest(self, sequence: int) -> None:
        """Note that a POST has made the newest workstation. The caller holds the lock since it was made."""
        with self._database.connection as connection:
            newest = "SELECT uid FROM workstations ORDER BY sequence DESC LIMIT 1"
            connection.execute(f"UPDATE posts SET made = ({newest}) WHERE sequence = ?", (sequence,))

    def finish(self, sequence: int, answered: int | str) -> None:
        with self._database.lock, self._database.connection as connection:
            connection.execute("UPDATE posts SET answered = ? WHERE sequence = ?", (json.dumps(answered), sequence))

    def count(self) -> int:
        with self._database.lock:
            found = self._database.all("SELECT count(*) FROM posts WHERE operation = ?", POST)
            return int(found[0][0])

    def describe(self) -> list[dict[str, Any]]:
        return [_describe(row) | {"made": row["made"]} for row in self._read("operation = ?")]

    def describe_connections(self) -> list[dict[str, Any]]:
        """Every POST for a connection, oldest first. What it opened is a secret that nothing here knows."""
        rows = self._read("operation != ?")
        return [_describe(row) | {"on": row["operation"], "workstation": row["workstation"]} for row in rows]

    def _read(self, term: str) -> list[sqlite3.Row]:
        with self._database.lock:
            return self._database.all(f"SELECT * FROM posts WHERE {term} ORDER BY sequence", POST)


def _describe(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "sequence": row["sequence"],
        "time": paging.write_time(row["received_at"]),
        "headers": json.loads(row["headers"]),
        "authorized": bool(row["authorized"]),
        "body": row["body"],
        "answered": None if row["answered"] is None else json.loads(row["answered"]),
    }
