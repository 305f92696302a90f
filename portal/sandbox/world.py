"""The sandbox's state: workstations, workspaces, their files and logs, and the record of every POST."""

import secrets
import sqlite3
import string
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portal.sandbox import contents, endings, names, paging, posts, store, weather

type Document = dict[str, Any]

ALPHABET = string.digits + string.ascii_letters
# A reserved workspace gathers the files of everybody's rehearsals: an answer shows the newest.
MOST_SHOWN = 50


def make_uid() -> str:
    """A UID in the provider's form."""
    return "".join(secrets.choice(ALPHABET) for _ in range(12))


class World:
    """Everything that outlives a call; with a path it outlives the process too.

    Nothing runs in the background: a workstation's whole life is laid down when it is made, and reading compares it
    with the clock.
    """

    def __init__(
        self, *, path: Path | None, lifetime: float, file_every: float, url: str, clock: Callable[[], float]
    ) -> None:
        self._lifetime = lifetime
        self._file_every = file_every
        self._url = url
        self._clock = clock
        self.weather = weather.Weather()
        self._store = store.Store(path)
        self.posts = posts.Posts(self._store, clock=clock)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def reset(self) -> None:
        """Forget everything."""
        self._store.reset()

    def record(self) -> Document:
        """Every POST received and every workstation made, oldest first."""
        with self._store.lock:
            workstations = self._store.all("SELECT * FROM workstations ORDER BY sequence")
            received = self.posts.describe()
            now = self._clock()
        return {
            "posts": received,
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

    # --- Workstations ---

    def knows_workspace(self, uid: str) -> bool:
        """Whether a workstation may be asked for in this workspace."""
        if names.is_reserved(uid):
            return True
        with self._store.lock:
            # A lone surrogate, which JSON can carry, is more than SQLite takes.
            return uid.isascii() and self._store.first("SELECT 1 FROM workspaces WHERE uid = ?", uid) is not None

    def make(self, *, type: str, workspace: str | None, oddity: str = "", post: int | None = None) -> Document:
        """Make a workstation, in a new workspace if none is named; returns it as it is at its start."""
        uid, place = make_uid(), workspace or make_uid()
        with self._store.lock, self._store.database as database:
            now = self._clock()
            ends_at = now + self._lifetime
            database.execute("INSERT OR IGNORE INTO workspaces VALUES (?, ?)", (place, now))
            database.execute(
                "INSERT INTO workstations (uid, type, workspace, oddity, post, started_at, ends_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (uid, type, place, oddity, post, now, ends_at),
            )
            self._lay_out_items(uid, type, place, now, ends_at)
            row = self._store.all("SELECT * FROM workstations WHERE uid = ?", uid)[0]
            return self._describe(row, now, status="active")

    def _lay_out_items(self, uid: str, type: str, workspace: str, now: float, ends_at: float) -> None:
        """Write down what the workstation will leave behind, each with the moment when it appears."""
        files = [("file", name, "", contents.read_text(name, uid)) for name in contents.FILES[type]]
        logs = [("log", name, level, contents.read_text(name, uid)) for name, level in contents.LOGS]
        for group in (files, logs):
            for number, (kind, name, level, text) in enumerate(group, start=1):
                appears_at = now + self._file_every * number
                if appears_at <= ends_at:
                    self._store.database.execute(
                        "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (str(uuid.uuid4()), kind, workspace, uid, name, level, len(text.encode()), appears_at),
                    )

    def retrieve(self, uid: str) -> Document | None:
        """An active workstation; None if there is none of this UID."""
        with self._store.lock:
            now = self._clock()
            row = self._store.first("SELECT * FROM workstations WHERE uid = ? AND ends_at > ?", uid, now)
            return None if row is None else self._describe(row, now)

    def release(self, uid: str) -> str | None:
        """End an active workstation and return its type; None if there is none of this UID."""
        with self._store.lock, self._store.database as database:
            now = self._clock()
            row = self._store.first("SELECT type FROM workstations WHERE uid = ? AND ends_at > ?", uid, now)
            if row is None:
                return None
            database.execute("UPDATE workstations SET ends_at = ? WHERE uid = ?", (now, uid))
            # What had not appeared by now never will.
            database.execute("DELETE FROM items WHERE workstation = ? AND appears_at > ?", (uid, now))
            return str(row["type"])

    def page(self, *, active: bool, window: paging.Window, limit: int) -> Document:
        """One page of the active list or of the history, newest first."""
        with self._store.lock:
            now = self._clock()
            if self.weather.lists.pages_shift and window.older_than is None and window.newer_than is None:
                window = window.move_to(window.place or 0)
            rows = self._select(active, window, now, limit)
            older = newer = None
            if rows and window.place is not None:
                older = window.move_to(window.place + len(rows))
            elif rows:
                older, newer = window.move_older(rows[-1]["sequence"]), window.move_newer(rows[0]["sequence"])
            return {
                "object": "list",
                "data": [self._describe(row, now) for row in rows],
                "next_cursor": self._write_cursor(active, older, now),
                "previous_cursor": self._write_cursor(active, newer, now),
            }

    def _write_cursor(self, active: bool, window: paging.Window | None, now: float) -> str | None:
        """A cursor, if anything lies where it leads."""
        if window is None or not self._select(active, window, now, 1):
            return None
        return paging.write_cursor(window)

    def _select(self, active: bool, window: paging.Window, now: float, limit: int) -> list[sqlite3.Row]:
        lists = self.weather.lists
        terms: list[tuple[str, float | None]] = [
            ("ends_at > ?" if active else "ends_at <= ?", now),
            ("started_at <= ?", now - lists.shows_after if lists.shows_after else None),
            ("started_at < ?", None if window.before is None else window.before - lists.clock_off),
            ("started_at > ?", None if window.after is None else window.after - lists.clock_off),
            ("sequence < ?", window.older_than),
            ("sequence > ?", window.newer_than),
        ]
        kept = [(term, value) for term, value in terms if value is not None]
        # Going towards newer ones, the page is the nearest, not the newest.
        backwards = window.newer_than is not None
        rows = self._store.all(
            f"SELECT * FROM workstations WHERE {' AND '.join(term for term, _ in kept)}"  # noqa: S608 - our own terms
            f" ORDER BY sequence {'ASC' if backwards else 'DESC'} LIMIT ? OFFSET ?",
            *(value for _, value in kept),
            limit,
            window.place or 0,
        )
        return rows[::-1] if backwards else rows

    def _write_time(self, seconds: float) -> str:
        return paging.write_time(seconds + self.weather.lists.clock_off)

    def _describe(self, row: sqlite3.Row, now: float, status: str = "") -> Document:
        """A workstation as the provider shows it."""
        space = self._store.all("SELECT * FROM workspaces WHERE uid = ?", row["workspace"])[0]
        document: Document = {
            "id": row["uid"],
            "type": row["type"],
            "status": status or ("completed" if row["ends_at"] <= now else "active"),
            "workspace": {
                "id": space["uid"],
                "status": "active",
                "files": {
                    "object": "list",
                    "data": [self._describe_file(item) for item in self._items(row, "file", now)],
                },
                "logs": {"object": "list", "data": [self._describe_log(item) for item in self._items(row, "log", now)]},
                "createdAt": self._write_time(space["created_at"]),
            },
            "startedAt": self._write_time(row["started_at"]),
        }
        odd: Document = endings.make_odd(row["oddity"], document)
        return odd

    # --- Files and logs ---

    def _items(self, row: sqlite3.Row, kind: str, now: float) -> list[sqlite3.Row]:
        newest_first = self._store.all(
            "SELECT * FROM items WHERE workspace = ? AND kind = ? AND appears_at <= ?"
            " ORDER BY appears_at DESC, rowid DESC LIMIT ?",
            row["workspace"],
            kind,
            now,
            MOST_SHOWN,
        )
        return newest_first[::-1]

    def _describe_file(self, item: sqlite3.Row) -> Document:
        return {
            "id": item["uuid"],
            "name": item["name"],
            "url": f"{self._url}/files/{item['uuid']}",
            "size": item["size"],
            "createdAt": self._write_time(item["appears_at"]),
        }

    def _describe_log(self, item: sqlite3.Row) -> Document:
        return {
            "id": item["uuid"],
            "type": item["name"],
            "level": item["level"],
            "url": f"{self._url}/logs/{item['uuid']}",
            "createdAt": self._write_time(item["appears_at"]),
        }

    def read_item(self, kind: str, uid: str) -> tuple[str, str] | None:
        """The name and the text of a file or log that has appeared."""
        with self._store.lock:
            item = self._store.first(
                "SELECT * FROM items WHERE kind = ? AND uuid = ? AND appears_at <= ?", kind, uid, self._clock()
            )
        if item is None:
            return None
        name = item["name"] if kind == "file" else f"{item['name']}.log"
        return name, contents.read_text(item["name"], item["workstation"])
