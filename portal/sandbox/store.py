"""The sandbox's state: workstations, workspaces, their files and logs, and the record of every POST."""

import secrets
import sqlite3
import string
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from portal.sandbox import database, faults, items, lists, names, paging, posts, responses
from portal.sandbox.responses import Response

type Document = dict[str, Any]

ALPHABET = string.digits + string.ascii_letters
# How long each workstation of a history lasted, in seconds.
LASTED = 60.0


def make_uid() -> str:
    """A UID in the provider's form."""
    return "".join(secrets.choice(ALPHABET) for _ in range(12))


class Store:
    """Everything that outlives a call; with a path it outlives the process too.

    Nothing runs in the background: a workstation's whole life is laid down when it is made, and reading compares it
    with the clock.
    """

    def __init__(
        self, *, path: Path | None, lifetime: float, file_every: float, url: str, clock: Callable[[], float]
    ) -> None:
        self._lifetime = lifetime
        self.clock = clock
        self.faults = faults.Faults()
        self._database = database.Database(path)
        self.posts = posts.Posts(self._database, clock=clock)
        self.items = items.Items(self._database, faults=self.faults, file_every=file_every, url=url, clock=clock)

    def tell_time(self) -> float:
        """The time by the provider's own clock."""
        return self.clock() + self.faults.habits.clock_off

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def reset(self) -> None:
        """Forget everything."""
        self._database.reset()

    def record(self) -> Document:
        """Every POST received and every workstation made, oldest first. One without a POST is somebody else's."""
        with self._database.lock:
            workstations = self._database.all("SELECT * FROM workstations ORDER BY sequence")
            received, connections = self.posts.describe(), self.posts.describe_connections()
            now = self.clock()
        return {
            "posts": received,
            "connections": connections,
            "workstations": [
                {
                    "uid": row["uid"],
                    "type": row["type"],
                    "workspace": row["workspace"],
                    "status": "completed" if row["ends_at"] <= now else "active",
                    "post": row["post"],
                }
                for row in workstations
            ],
        }

    def knows_workspace(self, uid: str) -> bool:
        """Whether a workstation may be asked for in this workspace."""
        if names.is_reserved(uid):
            return True
        with self._database.lock:
            # A lone surrogate, which JSON can carry, is more than SQLite takes.
            return uid.isascii() and self._database.first("SELECT 1 FROM workspaces WHERE uid = ?", uid) is not None

    # --- Making workstations ---

    def make(
        self, *, type: str, workspace: str | None, response: Response, post: int | None = None, started_ago: float = 0.0
    ) -> Document:
        """Make a workstation, in a new workspace if none is named; returns it as a POST's answer shows it."""
        shown = "".join(make_uid() if letter == "*" else letter for letter in response.uid)
        with self._database.lock, self._database.connection:
            started_at = self.clock() - started_ago
            taken = self._database.first("SELECT 1 FROM workstations WHERE uid = ?", shown)
            uid, place, ends_at = make_uid() if taken else shown, workspace or make_uid(), started_at + self._lifetime
            listed_at, readable_at = started_at + response.listed_after, started_at + response.read_after
            row = (uid, type, place, response.anomaly, post, started_at, ends_at, listed_at, readable_at)
            self._insert([row])
            self.items.lay_out(uid=uid, type=type, workspace=place, now=started_at, ends_at=ends_at)
            made = self._database.all("SELECT * FROM workstations WHERE uid = ?", uid)[0]
            without = self.faults.habits.posts_without_workspace
            return self._describe(made, started_at, status="active", without_workspace=without) | {"id": shown}

    def make_history(self, *, count: int, types: Sequence[str], every: float, ended_ago: float) -> None:
        """Make workstations that ended before now, one each `every` seconds, without files and logs."""
        with self._database.lock, self._database.connection:
            newest = self.clock() - ended_ago
            self._insert(
                (make_uid(), types[number % len(types)], make_uid(), "", None, ended_at - LASTED, ended_at, 0, 0)
                for number in range(count)
                for ended_at in (newest - number * every,)
            )

    def _insert(self, rows: Iterable[tuple[object, ...]]) -> None:
        for row in rows:
            self._database.connection.execute("INSERT OR IGNORE INTO workspaces VALUES (?, ?)", (row[2], row[5]))
            self._database.connection.execute(
                "INSERT INTO workstations"
                " (uid, type, workspace, anomaly, post, started_at, ends_at, listed_at, readable_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    # --- Reading and releasing them ---

    def retrieve(self, uid: str) -> Document | None:
        """An active workstation; None if there is none of this UID, or it cannot be read yet."""
        habits = self.faults.habits
        with self._database.lock:
            now = self.clock()
            row = self._database.first(
                "SELECT * FROM workstations WHERE uid = ? AND ends_at > ? AND readable_at <= ? AND started_at <= ?",
                uid,
                now,
                now,
                now - habits.reads_after,
            )
            if row is None:
                return None
            return self._describe(row, now, without_workspace=habits.reads_without_workspace)

    def release(self, uid: str) -> str | None:
        """End an active workstation and return its type; None if there is none of this UID."""
        with self._database.lock, self._database.connection as connection:
            now, row = self.clock(), self._find_live(uid)
            if row is None:
                return None
            ends_at = min(row["ends_at"], now + self.faults.habits.release_takes)
            connection.execute("UPDATE workstations SET ends_at = ? WHERE uid = ?", (ends_at, uid))
            self.items.forget_later(uid=uid, than=ends_at)
            return str(row["type"])

    def find_type(self, uid: str) -> str | None:
        """The type of a live workstation; None if there is none of this UID."""
        with self._database.lock:
            row = self._find_live(uid)
        return None if row is None else str(row["type"])

    def list_files(self, uid: str) -> list[tuple[str, int]]:
        """The files in the workspace of a live workstation, each with its size."""
        with self._database.lock:
            row = self._find_live(uid)
            found = row and self.items.describe(workspace=row["workspace"], kind="file", now=self.clock())
        return [(file["name"], file["size"]) for file in found["data"]] if found else []

    def _find_live(self, uid: str) -> sqlite3.Row | None:
        return self._database.first("SELECT * FROM workstations WHERE uid = ? AND ends_at > ?", uid, self.clock())

    def page(self, *, active: bool, window: paging.Window, limit: int) -> Document:
        """One page of the active list or of the history, newest first."""
        habits = self.faults.habits
        with self._database.lock:
            now = self.clock()
            rows, next_cursor, previous_cursor = lists.read_page(
                self._database, habits, active=active, window=window, limit=limit, now=now
            )
            shown = [row for row in rows if not self.faults.draw(habits.omit_share)]
            without, status = habits.lists_without_workspace, "active" if active else "completed"
            return {
                "object": "list",
                "data": [self._describe(row, now, status=status, without_workspace=without) for row in shown],
                "next_cursor": next_cursor,
                "previous_cursor": previous_cursor,
            }

    def _describe(self, row: sqlite3.Row, now: float, *, status: str = "active", without_workspace: float) -> Document:
        """A workstation as the provider shows it."""
        space = self._database.all("SELECT * FROM workspaces WHERE uid = ?", row["workspace"])[0]
        document: Document = {
            "id": row["uid"],
            "type": row["type"],
            "status": status,
            "workspace": {
                "id": space["uid"],
                "status": "active",
                "files": self.items.describe(workspace=space["uid"], kind="file", now=now),
                "logs": self.items.describe(workspace=space["uid"], kind="log", now=now),
                "createdAt": self.faults.write_time(space["created_at"]),
            },
            "startedAt": self.faults.write_time(row["started_at"]),
        }
        if self.faults.draw(without_workspace):
            del document["workspace"]
        odd: Document = responses.add_anomaly(row["anomaly"], document)
        return odd
