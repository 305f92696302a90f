"""The sandbox's state: workstations, workspaces, their files and logs."""

import secrets
import sqlite3
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from portal.sandbox import database, items, paging, responses
from portal.sandbox.responses import Response

type Document = dict[str, Any]

ALPHABET = string.digits + string.ascii_letters
_PLACE = "(started_at, sequence) {} (SELECT started_at, sequence FROM workstations WHERE sequence = ?)"


def make_uid() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(12))


class Store:
    """Everything that outlives a call; with a path it outlives the process too.

    Nothing runs in the background: a workstation's whole life is laid down when it is made, and reading compares it
    with the clock.
    """

    def __init__(
        self, *, path: Path | None, lifetime: float, file_every: float, url: str, clock: Callable[[], float]
    ) -> None:
        self._lifetime, self._file_every = lifetime, file_every
        self.clock = clock
        self.database = database.Database(path)
        self.items = items.Items(self.database, url=url, write_time=self.write_time)

    def tell_time(self) -> float:
        """The time by the provider's own clock."""
        return self.clock()

    def write_time(self, seconds: float) -> str:
        return paging.write_time(seconds)

    def close(self) -> None:
        self.database.close()

    def knows_workspace(self, uid: str) -> bool:
        """Whether a workstation may be asked for in this workspace."""
        if self.find_response(uid):
            return True
        with self.database.lock:
            # A lone surrogate, which JSON can carry, is more than SQLite takes.
            return uid.isascii() and self.database.first("SELECT 1 FROM workspaces WHERE uid = ?", uid) is not None

    def find_response(self, workspace: str) -> Response | None:
        """The response that the name of a reserved workspace stands for; None for any other."""
        return responses.find(workspace)

    # --- Making workstations ---

    def make(self, *, type: str, workspace: str | None, response: Response, uid: str | None = None) -> Document:
        """Make a workstation, in a new workspace if none is named; returns it as a POST's answer shows it."""
        uid, place = make_uid() if uid is None else uid, workspace or make_uid()
        with self.database.lock, self.database.connection:
            now = self.clock()
            lags = now + response.listed_after, now + response.read_after
            self.insert(uid, type, place, response.anomaly, now, now + self._lifetime, *lags)
            self.items.lay_out(self.list_items(type), uid=uid, workspace=place, now=now)
            (made,) = self.database.all("SELECT * FROM workstations WHERE uid = ?", uid)
            return self.describe(made, status="active")

    def list_items(self, type: str) -> list[items.Item]:
        return items.list_items(type, every=self._file_every)

    def insert(self, *values: object) -> None:
        """Write a workstation down: UID, type, workspace, anomaly, start, end, and when it is listed and readable."""
        _, _, workspace, _, started_at, *_ = values
        self.database.connection.execute("INSERT OR IGNORE INTO workspaces VALUES (?, ?)", (workspace, started_at))
        self.database.connection.execute(
            "INSERT INTO workstations (uid, type, workspace, anomaly, started_at, ends_at, listed_at, readable_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    # --- Reading and releasing them ---

    def retrieve(self, uid: str) -> Document | None:
        """An active workstation; None if there is none of this UID, or it cannot be read yet."""
        with self.database.lock:
            row = self.find_live(uid)
            if row is None or row["readable_at"] > self.clock():
                return None
            return self.describe(row, status="active")

    def release(self, uid: str) -> str | None:
        """End an active workstation and return its type; None if there is none of this UID."""
        with self.database.lock, self.database.connection as connection:
            row = self.find_live(uid)
            if row is None:
                return None
            connection.execute("UPDATE workstations SET ends_at = ? WHERE uid = ?", (self.clock(), uid))
            return str(row["type"])

    def find_type(self, uid: str) -> str | None:
        with self.database.lock:
            row = self.find_live(uid)
        return None if row is None else str(row["type"])

    def list_files(self, uid: str) -> list[tuple[str, int]]:
        with self.database.lock:
            row = self.find_live(uid)
            found = row and self.items.describe(workspace=row["workspace"], kind="file", now=self.clock())
        return [(file["name"], file["size"]) for file in found["data"]] if found else []

    def find_live(self, uid: str) -> sqlite3.Row | None:
        """The row of a workstation that has not ended. The caller holds the lock."""
        return self.database.first("SELECT * FROM workstations WHERE uid = ? AND ends_at > ?", uid, self.clock())

    def describe(self, row: sqlite3.Row, *, status: str) -> Document:
        space, now = self.database.all("SELECT * FROM workspaces WHERE uid = ?", row["workspace"])[0], self.clock()
        document: Document = {
            "id": row["uid"],
            "type": row["type"],
            "status": status,
            "workspace": {
                "id": space["uid"],
                "status": "active",
                "files": self.items.describe(workspace=space["uid"], kind="file", now=now),
                "logs": self.items.describe(workspace=space["uid"], kind="log", now=now),
                "createdAt": self.write_time(space["created_at"]),
            },
            "startedAt": self.write_time(row["started_at"]),
        }
        odd: Document = responses.add_anomaly(row["anomaly"], document)
        return odd

    # --- The two lists ---

    def page(self, *, active: bool, window: paging.Window, limit: int) -> Document:
        with self.database.lock:
            rows = self.select(active=active, window=window, limit=limit)
            cursors: list[str | None] = [None, None]
            if rows:
                older = replace(window, older_than=rows[-1]["sequence"], newer_than=None)
                newer = replace(window, older_than=None, newer_than=rows[0]["sequence"])
                cursors = [
                    paging.write_cursor(part) if self.select(active=active, window=part, limit=1) else None
                    for part in (older, newer)
                ]
            status = "active" if active else "completed"
            data = [self.describe(row, status=status) for row in rows]
            return {"object": "list", "data": data, "next_cursor": cursors[0], "previous_cursor": cursors[1]}

    def select(self, *, active: bool, window: paging.Window, limit: int) -> list[sqlite3.Row]:
        """The workstations in a part of a list, newest first. The caller holds the lock."""
        # Going towards newer ones, the page is the nearest, not the newest.
        way = "ASC" if window.newer_than is not None else "DESC"
        terms = self.list_terms(active=active, window=window)
        rows = self.database.all(
            f"SELECT * FROM workstations WHERE {' AND '.join(terms)}"  # noqa: S608 - our own terms
            f" ORDER BY started_at {way}, sequence {way} LIMIT ?",
            *terms.values(),
            limit,
        )
        return rows if way == "DESC" else rows[::-1]

    def list_terms(self, *, active: bool, window: paging.Window) -> dict[str, Any]:
        """The conditions for a part of a list, each with its value."""
        now = self.clock()
        terms = {
            "listed_at <= ?": now,
            "ends_at > ?" if active else "ends_at <= ?": now,
            "started_at < ?": window.before,
            "started_at > ?": window.after,
            _PLACE.format("<"): window.older_than,
            _PLACE.format(">"): window.newer_than,
        }
        return {term: value for term, value in terms.items() if value is not None}
