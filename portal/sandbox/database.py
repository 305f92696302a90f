"""Where the sandbox keeps its state: one SQLite database, in a file or in memory."""

import sqlite3
import threading
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS workspaces (uid TEXT PRIMARY KEY, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS workstations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, type TEXT NOT NULL, workspace TEXT NOT NULL,
    anomaly TEXT NOT NULL, started_at REAL NOT NULL, ends_at REAL NOT NULL,
    listed_at REAL NOT NULL, readable_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS workstations_by_start ON workstations (started_at, sequence);
CREATE INDEX IF NOT EXISTS workstations_by_end ON workstations (ends_at);
CREATE TABLE IF NOT EXISTS items (
    uuid TEXT PRIMARY KEY, kind TEXT NOT NULL, workspace TEXT NOT NULL, workstation TEXT NOT NULL, name TEXT NOT NULL,
    level TEXT NOT NULL, size INTEGER NOT NULL, appears_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS items_of_workspace ON items (workspace, kind, appears_at);
"""


class Database:
    """A connection and the lock under which it is used: reads hold `lock`, writes `lock` and then `connection`."""

    def __init__(self, path: Path | None) -> None:
        self.lock = threading.RLock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path or ":memory:", check_same_thread=False)
        try:
            self.connection.row_factory = sqlite3.Row
            # Survives kill -9; a power cut may cost the last moments, which a rehearsal can bear.
            self.connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {SCHEMA}")
        except sqlite3.Error:
            self.connection.close()
            raise

    def close(self) -> None:
        with self.lock:
            self.connection.close()

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self.connection.execute(sql, values).fetchall()

    def first(self, sql: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
        return row
