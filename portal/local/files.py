"""The files of a local portal that nobody but its own user may read: its database, and the secrets that it makes."""

import contextlib
import os
import re
import secrets
import string
from pathlib import Path

from portal import environment

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


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & _OTHERS)


def _close(path: Path, *, mode: int) -> None:
    with contextlib.suppress(OSError):
        if _is_open(path):
            path.chmod(mode)


def read_or_make_key(path: Path) -> str:
    """The key in the file; made there with mode 0600 when there is none. Two processes that start together agree."""
    return _read_or_make(path, new=secrets.token_urlsafe(64), form=".{50,}")


def read_or_make_host(path: Path) -> str:
    """The same of a name that nobody guesses, so that no page elsewhere leads a browser to another port of it."""
    letters = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
    return _read_or_make(path, new=f"ws-{letters}.localhost", form=r"ws-[a-z0-9]{8}\.localhost")


def _read_or_make(path: Path, *, new: str, form: str) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path, new)
        _check_mode(path)
        kept = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        environment.stop(f"the folder {path.parent} cannot be written, or its file {path.name} cannot be read.")
    if not re.fullmatch(form, kept):
        environment.stop(f"the file {path} holds nothing that can be used; delete it and start again.")
    return kept


def _check_mode(path: Path) -> None:
    """Stop where other users can read the file; only warn where the file system keeps no permissions at all."""
    if not _is_open(path):
        return
    try:
        path.chmod(0o600)
    except PermissionError:
        environment.stop(f"other users can read {path}, which belongs to somebody else: delete it and start again.")
    if _is_open(path):
        environment.warn(f"other users can read {path}: its file system keeps no permissions.")


def _make(path: Path, new: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(new)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails where another process was first; what it made is as good
    except FileExistsError:
        pass
    finally:
        draft.unlink()
