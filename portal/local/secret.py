"""The SECRET_KEY that a local portal makes for itself, once."""

import os
import secrets
from pathlib import Path

from portal import environment
from portal.local import private


def read_or_make(path: Path) -> str:
    """The key in the file; made there with mode 0600 when there is none. Two processes that start together agree."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        _check_mode(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        environment.stop(f"the folder {path.parent} cannot be written, or its file {path.name} cannot be read.")
    if len(key) < 50:
        environment.stop(f"the file {path} holds no usable secret key; delete it and start again.")
    return key


def _check_mode(path: Path) -> None:
    """Stop where other users can read the key; only warn where the file system keeps no permissions at all."""
    if not private.is_open(path):
        return
    try:
        path.chmod(0o600)
    except PermissionError:
        environment.stop(f"other users can read {path}, which belongs to somebody else: delete it and start again.")
    if private.is_open(path):
        environment.warn(f"other users can read {path}: its file system keeps no permissions.")


def _make(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails where another process was first; its key is as good
    except FileExistsError:
        pass
    finally:
        draft.unlink()
