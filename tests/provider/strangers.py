"""Strangers: workstations that somebody else makes, or has made, with the same key."""

from typing import Any

from portal.sandbox.responses import Response
from portal.sandbox.store import make_uid
from tests.provider import generations
from tests.provider.store import Store
from tests.provider.wishes import MOST_SECONDS, is_count, is_number, require

MOST = 1_000_000
# As far back as a history may go.
MOST_AGO = 10_000 * MOST_SECONDS
# How long each workstation of a history lasted, in seconds.
LASTED = 60.0


def make(store: Store, wish: Any) -> dict[str, Any]:
    """Workstations that began `started_ago` seconds ago, in a workspace each or all in the one named; their UIDs."""
    count, types = _read(wish, keys={"count", "types", "workspace", "started_ago"})
    workspace, started_ago = wish.get("workspace"), _read_seconds(wish, "started_ago", 0.0)
    require(workspace is None or (isinstance(workspace, str) and workspace.isascii()), "workspace must be a UID")
    with store.database.lock:
        uids = [_make_one(store, types[number % len(types)], workspace) for number in range(count)]
        if started_ago:
            _move_back(store, uids, started_ago)
    return {"uids": uids}


def make_by_chance(store: Store) -> None:
    _make_one(store, store.faults.pick(generations.NINE), None)


def make_history(store: Store, wish: Any) -> None:
    """Workstations that have ended, without files and logs: the newest `ended_ago` seconds ago, each next one `every`
    seconds before."""
    count, types = _read(wish, keys={"count", "types", "every", "ended_ago"})
    every, ended_ago = _read_seconds(wish, "every", 1.0), _read_seconds(wish, "ended_ago", 1.0)
    with store.database.lock, store.database.connection:
        newest = store.clock() - ended_ago
        for number in range(count):
            ended_at = newest - number * every
            words = make_uid(), types[number % len(types)], make_uid(), ""
            store.insert(*words, ended_at - LASTED, ended_at, 0, 0)


def _make_one(store: Store, type: str, workspace: str | None) -> str:
    return str(store.make(type=type, workspace=workspace, response=Response())["id"])


def _move_back(store: Store, uids: list[str], seconds: float) -> None:
    """As if they had been made so much earlier."""
    times = ("started_at", "ends_at", "listed_at", "readable_at")
    moved = ", ".join(f"{time} = {time} - :ago" for time in times)
    with store.database.connection as connection:
        for uid in uids:
            values = {"ago": seconds, "uid": uid}
            connection.execute(f"UPDATE workstations SET {moved} WHERE uid = :uid", values)
            connection.execute("UPDATE items SET appears_at = appears_at - :ago WHERE workstation = :uid", values)
            connection.execute(
                "UPDATE workspaces SET created_at = min(created_at, started_at) FROM workstations"
                " WHERE workstations.uid = :uid AND workspaces.uid = workspace",
                values,
            )


def _read(wish: Any, *, keys: set[str]) -> tuple[int, list[str]]:
    require(isinstance(wish, dict) and wish.keys() <= keys, f"there may be {', '.join(sorted(keys))}")
    count, types = wish.get("count", 1), wish.get("types", list(generations.NINE))
    require(is_count(count) and count <= MOST, f"count must be from 0 to {MOST}")
    sound = isinstance(types, list) and types and all(isinstance(kind, str) for kind in types)
    require(bool(sound), "types must be a list of types")
    return count, types


def _read_seconds(wish: dict[str, Any], key: str, default: float) -> float:
    seconds = wish.get(key, default)
    require(is_number(seconds) and 0 <= seconds <= MOST_AGO, f"{key} must be from 0 to {MOST_AGO} seconds")
    return float(seconds)
