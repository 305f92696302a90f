"""Where the database is: what distinguishes it from a copy, and from itself before a backup was put back."""

import contextlib
import functools
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import NotSupportedError, ProgrammingError, connection, transaction

from portal.db.connection import execute

# The table's own oid shows a dump that was loaded again into the same database.
_NAMES = (
    "current_database(), (SELECT oid FROM pg_database WHERE datname = current_database()),"
    " 'portal_database'::regclass::oid"
)
# Of the WAL file, for the control file has a new timeline only after the next checkpoint.
_TIMELINE = "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
_SYSTEM = "(SELECT system_identifier FROM pg_control_system())"
_FILE_SIZE = 4096
_NETWORK_DISKS = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "gluster", "glusterfs")
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, kw_only=True)
class Place:
    """`name` differs between a database and its copies; `timeline` is raised when PostgreSQL promotes a replica."""

    name: str
    timeline: int


def read_place(*, row: list[Any] | None = None) -> Place:
    """Where the database is now. `row`: what the query of `choose_sql` says, where the caller has read it."""
    if has_file():
        path, name = _get_path(), "no file"
        with contextlib.suppress(OSError):  # the file's number, and its file system's: a copy has another
            name = f"file {path.stat().st_ino} of file system {os.statvfs(path).f_fsid:x}"
        return Place(name=name, timeline=0)
    if row is None:
        [[text]] = execute(choose_sql())
        row = json.loads(text)
    name, oid, table, timeline, system = row
    return Place(name=f"PostgreSQL {system}, database {name} ({oid}), table {table}", timeline=timeline)


@functools.cache
def choose_sql() -> str:
    """A query for where the database is, as JSON: with PostgreSQL's system identifier and timeline, where the role may
    read them. SQLite knows nothing of it."""
    if has_file():
        return "SELECT NULL"
    query = f"SELECT jsonb_build_array({_NAMES}, {_TIMELINE}, {_SYSTEM})"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(query)
    except (ProgrammingError, NotSupportedError):
        return f"SELECT jsonb_build_array({_NAMES}, 0, '')"
    return query


# --- The file beside SQLite's ---


def has_file() -> bool:
    """Whether the database is a file: SQLite's, with another beside it that remembers it."""
    return connection.vendor == "sqlite"


def read_file() -> dict[str, Any] | None:
    """What the file holds: None where there is none, nothing in it where it cannot be read."""
    try:
        found = json.loads(_get_file().read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_file(*, values: dict[str, Any]) -> None:
    """Write over the file in one piece, without waiting for the disk: after a power cut it may be behind."""
    path, text = _get_file(), json.dumps(values).encode().ljust(_FILE_SIZE)
    try:
        file = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        _create_file(path, text)
        return
    try:
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
    finally:
        os.close(file)


def _create_file(path: Path, text: bytes) -> None:
    """With all that is in it: another process that starts at this moment must not find an empty one."""
    file, begun = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    with os.fdopen(file, "wb") as opened:
        opened.write(text)
    Path(begun).replace(path)


def remove_file() -> None:
    """Remove the file: the next process begins as on the first day."""
    _get_file().unlink(missing_ok=True)


def _get_path() -> Path:
    return Path(connection.settings_dict["NAME"])


def _get_file() -> Path:
    path = _get_path()
    return path.with_name(f"{path.name}-identity")


# --- What SQLite needs ---


def find_warnings() -> list[str]:
    """What makes SQLite unsafe here, as sentences; nothing on PostgreSQL."""
    if not has_file():
        return []
    [[mode]] = execute("PRAGMA journal_mode")
    waits = f"SQLite's journal_mode is {mode}, not wal: pages and workers wait for each other." if mode != "wal" else ""
    return [warning for warning in (waits, describe_disk(path=_get_path())) if warning]


def describe_disk(*, path: Path, mounts: Path = _MOUNTS) -> str:
    """A warning where the path is on a network disk; empty where it is not, or the system does not say."""
    wanted, found = path.resolve(), ("", "")
    with contextlib.suppress(OSError):
        for line in mounts.read_text().splitlines():
            folder, kind = line.split(" ")[1:3]
            folder = folder.replace("\\040", " ")
            if wanted.is_relative_to(folder) and len(folder) >= len(found[0]):
                found = folder, kind
    if not found[1].startswith(_NETWORK_DISKS):
        return ""
    return f"The database is on a network disk ({found[1]}), where SQLite's locks may not hold: move it to a local one."
