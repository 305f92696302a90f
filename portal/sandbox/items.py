"""Files and logs: what each workstation leaves in its workspace."""

import sqlite3
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from portal.sandbox.database import Database

_MAX = ("session.md", "screens.csv", "clipboard.txt", "downloads.json", "summary.md")
FILES: dict[str, tuple[str, ...]] = {
    "default": _MAX,
    "max": _MAX,
    "zoom-chromium": ("invitation.txt", "transcript.vtt", "chat.txt", "participants.csv", "minutes.md"),
    "meet-chromium": ("invitation.txt", "transcript.vtt", "chat.txt", "participants.csv", "minutes.md"),
    "voip": ("call.json", "transcript.vtt", "voicemail.txt", "numbers.csv"),
    "voip-chromium": ("call.json", "transcript.vtt", "page.html", "numbers.csv"),
    "chromium": ("page.html", "links.csv", "cookies.json", "notes.md"),
    "python": ("requirements.txt", "main.py", "results.csv", "figures.json", "report.md"),
    "nodejs": ("package.json", "index.js", "build.txt", "coverage.json"),
    "golang": ("go.mod", "main.go", "bench.txt", "coverage.csv"),
}
TYPES = tuple(FILES)
LOGS: tuple[tuple[str, str], ...] = (("boot", "info"), ("system", "debug"), ("session", "info"), ("network", "warning"))
ROWS = 12
# A reserved workspace gathers the files of everybody's rehearsals: an answer shows the newest.
MOST_SHOWN = 50
# What appears while its workstation runs.
_APPEARED = (
    "SELECT items.* FROM items JOIN workstations ON workstations.uid = items.workstation"
    " WHERE appears_at <= ? AND appears_at <= ends_at AND kind = ?"
)

type Item = tuple[str, str, str, float]


def read_text(name: str, uid: str) -> str:
    """The text of the file `name` of the workstation `uid`: always the same, so its size is known beforehand."""
    return "".join(f"{name}, line {row} of {ROWS}: left here by workstation {uid}.\n" for row in range(1, ROWS + 1))


def list_items(type: str, *, every: float) -> list[Item]:
    """What a workstation of the type leaves: kind, name, level, and after how many seconds."""
    files = [("file", name, "", every * number) for number, name in enumerate(FILES.get(type, ()), 1)]
    return files + [("log", name, level, every * number) for number, (name, level) in enumerate(LOGS, 1)]


class Items:
    """The files and logs of all workspaces, each written down with the moment when it appears."""

    def __init__(self, database: Database, *, url: str, write_time: Callable[[float], str]) -> None:
        self._database, self._url, self._write_time = database, url, write_time
        self.most_shown = MOST_SHOWN

    def lay_out(self, items: Iterable[Item], *, uid: str, workspace: str, now: float) -> None:
        """Write down what a new workstation will leave behind, if it lives so long."""
        self._database.connection.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (str(uuid.uuid4()), kind, workspace, uid, name, level, len(read_text(name, uid).encode()), now + after)
                for kind, name, level, after in items
            ],
        )

    def describe(self, *, workspace: str, kind: str, now: float) -> dict[str, Any]:
        newest_first = self._database.all(
            f"{_APPEARED} AND items.workspace = ? ORDER BY appears_at DESC, items.rowid DESC LIMIT ?",
            *(now, kind, workspace, self.most_shown),
        )
        return {"object": "list", "data": [self._describe_one(item) for item in newest_first[::-1]]}

    def _describe_one(self, item: sqlite3.Row) -> dict[str, Any]:
        file, log = {"name": item["name"], "size": item["size"]}, {"type": item["name"], "level": item["level"]}
        return {
            "id": item["uuid"],
            **(file if item["kind"] == "file" else log),
            "url": f"{self._url}/{item['kind']}s/{item['uuid']}",
            "createdAt": self._write_time(item["appears_at"]),
        }

    def read(self, kind: str, uid: str, *, now: float) -> tuple[str, str] | None:
        with self._database.lock:
            item = self._database.first(f"{_APPEARED} AND uuid = ?", now, kind, uid)
        if item is None:
            return None
        name = item["name"] if kind == "file" else f"{item['name']}.log"
        return name, read_text(item["name"], item["workstation"])
