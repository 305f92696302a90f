"""Strangers: workstations that somebody else makes, or has made, with the same key."""

from typing import Any

from portal.sandbox import contents
from portal.sandbox.responses import Response
from portal.sandbox.store import Store
from portal.sandbox.wishes import MOST_SECONDS, is_count, is_number, require

MOST = 1_000_000
# As far back as a history may go.
MOST_AGO = 10_000 * MOST_SECONDS


def make(store: Store, wish: Any) -> dict[str, Any]:
    """Workstations that began `started_ago` seconds ago, in a workspace each or all in the one named; their UIDs."""
    count, types = _read(wish, keys={"count", "types", "workspace", "started_ago"})
    workspace, started_ago = wish.get("workspace"), _read_seconds(wish, "started_ago", 0.0)
    require(workspace is None or (isinstance(workspace, str) and workspace.isascii()), "workspace must be a UID")
    made = [
        store.make(type=types[number % len(types)], workspace=workspace, response=Response(), started_ago=started_ago)
        for number in range(count)
    ]
    return {"uids": [workstation["id"] for workstation in made]}


def make_one(store: Store) -> None:
    """One of a type that chance takes, in a workspace of its own."""
    store.make(type=store.faults.pick(contents.TYPES), workspace=None, response=Response())


def make_history(store: Store, wish: Any) -> None:
    """Workstations that have ended: the newest `ended_ago` seconds ago, each next one `every` seconds before."""
    count, types = _read(wish, keys={"count", "types", "every", "ended_ago"})
    every, ended_ago = _read_seconds(wish, "every", 1.0), _read_seconds(wish, "ended_ago", 1.0)
    store.make_history(count=count, types=types, every=every, ended_ago=ended_ago)


def _read(wish: Any, *, keys: set[str]) -> tuple[int, list[str]]:
    """How many, and of which types in turn."""
    require(isinstance(wish, dict) and wish.keys() <= keys, f"there may be {', '.join(sorted(keys))}")
    count, types = wish.get("count", 1), wish.get("types", list(contents.TYPES))
    require(is_count(count) and count <= MOST, f"count must be from 0 to {MOST}")
    sound = isinstance(types, list) and types and all(isinstance(kind, str) for kind in types)
    require(bool(sound), "types must be a list of types")
    return count, types


def _read_seconds(wish: dict[str, Any], key: str, default: float) -> float:
    seconds = wish.get(key, default)
    require(is_number(seconds) and 0 <= seconds <= MOST_AGO, f"{key} must be from 0 to {MOST_AGO} seconds")
    return float(seconds)
