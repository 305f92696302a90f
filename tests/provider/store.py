"""The state of a provider that lags, leaves out and exaggerates, with the record of every POST."""

import json
import sqlite3
from dataclasses import replace
from typing import Any

from portal.sandbox import items, paging, store
from portal.sandbox.responses import Response
from portal.sandbox.store import Document
from tests.provider import asked, faults, posts
from tests.provider.asked import Asked

# What was released, and by how much the provider's clock was off when what had begun.
TABLES = """
CREATE TABLE IF NOT EXISTS releases (workstation INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS offsets (workstation INTEGER PRIMARY KEY, seconds REAL NOT NULL);
"""
# Behind the id of one that has ended, where another has the same id by now; no answer shows it.
FORMER = "~"


class Store(store.Store):
    """The sandbox's, with the habits of the faults."""

    def __init__(self, **options: Any) -> None:
        self.faults = faults.Faults()
        super().__init__(**options)
        self.posts = posts.Posts(self.database, clock=self.clock)
        self.database.connection.executescript(TABLES)

    def tell_time(self) -> float:
        return super().tell_time() + self.faults.habits.clock_off

    def write_time(self, seconds: float) -> str:
        return super().write_time(seconds + self.faults.habits.clock_off + self.faults.habits.times_off)

    def reset(self) -> None:
        """Forget everything. Sequences go on, so that a call still in flight cannot be taken for a later one."""
        with self.database.lock, self.database.connection as connection:
            for table in ("items", "workstations", "workspaces", "posts", "releases", "offsets"):
                connection.execute(f"DELETE FROM {table}")

    def record(self) -> Document:
        """Every POST received and every workstation made, oldest first. One without a POST is somebody else's."""
        with self.database.lock:
            workstations = self.database.all(
                "SELECT workstations.*, posts.sequence AS post, releases.workstation IS NOT NULL AS released"
                " FROM workstations LEFT JOIN posts ON made = uid LEFT JOIN releases"
                " ON releases.workstation = workstations.sequence ORDER BY workstations.sequence"
            )
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
                    "released": bool(row["released"]),
                }
                for row in workstations
            ],
        }

    # --- Making, reading and releasing workstations ---

    def find_response(self, workspace: str) -> Response | None:
        return asked.find(workspace)

    def make(self, *, type: str, workspace: str | None, response: Response, uid: str | None = None) -> Document:
        if not isinstance(response, Asked):
            return super().make(type=type, workspace=workspace, response=response)
        with self.database.lock:
            free = self._free_one() if response.post is not None else None
            shown = free or "".join(store.make_uid() if letter == "*" else letter for letter in response.uid)
            is_taken = self.database.first("SELECT 1 FROM workstations WHERE uid = ?", shown)
            made = super().make(type=type, workspace=workspace, response=response, uid=None if is_taken else shown)
            if response.post is not None:
                self.posts.link_newest(response.post)
            return made | {"id": shown}

    def _free_one(self) -> str | None:
        """One of the ids to be given once more, if the workstation that has it has ended; that one's is changed."""
        given, shown_until = (
            json.dumps(sorted(self.faults.habits.reuse)),
            self.clock() - self.faults.habits.shows_ended_for,
        )
        with self.database.connection as connection:
            row = self.database.first(
                "SELECT * FROM workstations WHERE ends_at <= ? AND uid IN (SELECT value FROM json_each(?))",
                shown_until,
                given,
            )
            if row is None:
                return None
            former = f"{row['uid']}{FORMER}{row['sequence']}"
            connection.execute("UPDATE workstations SET uid = ? WHERE sequence = ?", (former, row["sequence"]))
            connection.execute("UPDATE posts SET made = ? WHERE made = ?", (former, row["uid"]))
        return str(row["uid"])

    def insert(self, *values: object) -> None:
        super().insert(*values)
        if off := self.faults.habits.clock_off + self.faults.habits.times_off:
            self.database.connection.execute("INSERT INTO offsets VALUES (last_insert_rowid(), ?)", (off,))

    def list_items(self, type: str) -> list[items.Item]:
        habits = self.faults.habits
        more = [
            ("file", f"output-{number:05}".ljust(habits.name_length - 4, "x") + ".bin", "", 0.0)
            for number in range(habits.more_files)
        ]
        return [*more, *super().list_items(type)]

    def retrieve(self, uid: str) -> Document | None:
        with self.database.lock:
            row = self.find_live(uid)
            is_late = row is not None and row["started_at"] > self.clock() - self.faults.habits.reads_after
            return None if is_late else super().retrieve(uid)

    def release(self, uid: str) -> str | None:
        with self.database.lock, self.database.connection as connection:
            row = self.find_live(uid)
            kind = super().release(uid)
            if row is not None:
                ends_at = min(row["ends_at"], self.clock() + self.faults.habits.release_takes)
                connection.execute("UPDATE workstations SET ends_at = ? WHERE uid = ?", (ends_at, uid))
                connection.execute("INSERT OR IGNORE INTO releases VALUES (?)", (row["sequence"],))
            return kind

    def describe(self, row: sqlite3.Row, *, status: str) -> Document:
        self.items.most_shown = items.MOST_SHOWN + self.faults.habits.more_files
        document = super().describe(row, status=status)
        if "startedAt" in document:  # as the clock was then, whatever it is now
            offset = self.database.first("SELECT seconds FROM offsets WHERE workstation = ?", row["sequence"])
            document["startedAt"] = paging.write_time(row["started_at"] + (offset["seconds"] if offset else 0.0))
        return document | {"id": document["id"].partition(FORMER)[0]}

    def age(self, seconds: float) -> None:
        """As if every workstation had begun so much earlier; what ends then, and when, stays as it is."""
        with self.database.lock, self.database.connection as connection:
            connection.execute("UPDATE workstations SET started_at = started_at - ?", [seconds])

    # --- The two lists ---

    def select(self, *, active: bool, window: paging.Window, limit: int) -> list[sqlite3.Row]:
        return [] if self.faults.habits.lists_empty else super().select(active=active, window=window, limit=limit)

    def list_terms(self, *, active: bool, window: paging.Window) -> dict[str, Any]:
        habits, now = self.faults.habits, self.clock()
        bounds = {name: getattr(window, name) for name in ("before", "after")}
        told = {name: bound - habits.clock_off for name, bound in bounds.items() if bound is not None}
        terms = super().list_terms(active=active, window=replace(window, **told))
        terms["started_at <= ?"] = now - habits.shows_after
        if active:
            terms["ends_at > ?"] = now - habits.shows_ended_for
        else:
            terms["ends_at <= ?"] = now - habits.history_shows_after
        if habits.omit:
            terms["uid NOT IN (SELECT value FROM json_each(?))"] = json.dumps(sorted(habits.omit))
        return terms

    def page_from(self, place: int, *, active: bool, window: paging.Window, limit: int) -> tuple[list[Document], bool]:
        """So many from a place on, counted from the newest, and whether more follow."""
        status = "active" if active else "completed"
        with self.database.lock:
            rows = self.select(active=active, window=window, limit=place + limit + 1)[place:]
            return [self.describe(row, status=status) for row in rows[:limit]], len(rows) > limit
