"""What the processes of the portal wrote about texts that no database takes."""

import re
from pathlib import Path

_NOT_STORABLE = re.compile(r"^(?:[\w.]+\.)?(?:UnicodeEncodeError|DataError)\b.*|^.*NUL \(0x00\).*", re.MULTILINE)


def find_not_storable(folder: Path) -> list[str]:
    found = {(log.stem, line[:200]) for log in folder.glob("*.log") for line in _NOT_STORABLE.findall(read(log))}
    return [f"{name}: {line}" for name, line in sorted(found)]


def read(log: Path) -> str:
    return log.read_text(errors="replace")
