"""Files that nobody but the portal's own user may read: the database of a local portal, and what lies beside it."""

import contextlib
import os
from pathlib import Path

_OTHERS = 0o077


def protect_files(*, database: Path, owned: Path) -> None:
    """Close the database and what belongs to it to other users, and let this process make files only for itself.

    The folder too where it is the portal's `owned` one; another may be shared with other programs. What belongs to
    somebody else stays as it is.
    """
    os.umask(_OTHERS)
    folder = database.parent
    for path in folder.glob("*" if folder == owned else f"{database.name}*"):
        if path.is_file() and not path.is_symlink():
            _close(path, mode=0o600)
    if folder == owned and folder.is_dir():
        _close(folder, mode=0o700)


def is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & _OTHERS)


def _close(path: Path, *, mode: int) -> None:
    with contextlib.suppress(OSError):
        if is_open(path):
            path.chmod(mode)
