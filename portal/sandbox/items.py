"""Files and logs: what each workstation leaves in its workspace."""

import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

from portal.sandbox import contents
from portal.sandbox.database import Database
from portal.sandbox.faults import Faults

# A reserved workspace gathers the files of everybody's rehearsals: an answer shows the newest.
MOST_SHOWN = 50


class Items:
    """The files and logs of all workspaces, each written down with the moment when it appears."""

    def __init__(
        self, database: Database, *, faults: Faults, file_every: float, url: str, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._faults = faults
        self._file_every = file_every
        self._url = url
        self._clock = clock

    def lay_out(self, *, uid: str, type: str, workspace: str, now: float, ends_at: float) -> None:
        """Write down what a new workstation will leave behind."""
        files = [
            ("file", name, "", self._file_every * number) for number, name in enumerate(contents.FILES.get(type, ()), 1)
        ]
        logs = [
            ("log", name, level, self._file_every * number) for number, (name, level) in enumerate(contents.LOGS, 1)
        ]
        habits = self._faults.habits
        more = [
            ("file", f"output-{number:05}".ljust(habits.name_length - 4, "x") + ".bin", "", 0.0)
            for number in range(habits.more_files)
        ]
        self._database.connection.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (str(uuid.uuid4()), kind, workspace, uid, name, level, _measure(name, uid), now + after)
                for kind, name, level, after in (*more, *files, *logs)
                if now + after <= ends_at
            ],
        )

    def forget_later(self, *, uid: str, than: float) -> None:
        """What has not appeared when its workstation ends never will."""
        self._database.connection.execute("DELETE FROM items WHERE workstation = ? AND appears_at > ?", (uid, than))

    def describe(self, *, workspace: str, kind: str, now: float) -> dict[str, Any]:
        """The list of files or logs of a workspace, as the provider shows it."""
        newest_first = self._database.all(
            "SELECT * FROM items WHERE workspace = ? AND kind = ? AND appears_at <= ?"
            " ORDER BY appears_at DESC, rowid DESC LIMIT ?",
            workspace,
            kind,
            now,
            MOST_SHOWN + self._faults.habits.more_files,
        )
        describe = self._describe_file if kind == "file" else self._describe_log
        return {"object": "list", "data": [describe(item) for item in newest_first[::-1]]}

    def _describe_file(self, item: sqlite3.Row) -> dict[str, Any]:
        return {
            "id": item["uuid"],
            "name": item["name"],
            "url": f"{self._url}/files/{item['uuid']}",
            "size": item["size"],
            "createdAt": self._faults.write_time(item["appears_at"]),
        }

    def _describe_log(self, item: sqlite3.Row) -> dict[str, Any]:
        return {
            "id": item["uuid"],
            "type": item["name"],
            "level": item["level"],
            "url": f"{self._url}/logs/{item['uuid']}",
            "createdAt": self._faults.write_time(item["appears_at"]),
        }

    def read(self, kind: str, uid: str) -> tuple[str, str] | None:
        """The name and the text of a file or log that has appeared."""
        with self._database.lock:
            item = self._database.first(
                "SELECT * FROM items WHERE kind = ? AND uuid = ? AND appears_at <= ?", kind, uid, self._clock()
            )
        if item is None:
            return None
        name = item["name"] if kind == "file" else f"{item['name']}.log"
        return name, contents.read_text(item["name"], item["workstation"])


def _measure(name: str, uid: str) -> int:
    return len(contents.read_text(name, uid).encode())
