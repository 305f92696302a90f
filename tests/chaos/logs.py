"""What the processes of the portal wrote about their errors."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# What is said of a text that no database takes.
_NOT_STORABLE = ("UnicodeEncodeError", "DataError", "NUL (0x00)")


def read_errors(folder: Path) -> Counter[str]:
    """The last line of every traceback in the logs, and every line of level ERROR, numbers left out."""
    found: Counter[str] = Counter()
    for log in folder.glob("*.log"):
        inside_traceback = False
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("Traceback"):
                inside_traceback = True
            elif inside_traceback and line and not line.startswith((" ", "\t")):
                inside_traceback = False
                found[f"{log.stem}: {re.sub('[0-9]+', 'N', line)[:200]}"] += 1
            elif " ERROR " in line or "[ERROR]" in line or "[CRITICAL]" in line:
                found[f"{log.stem}: {re.sub('[0-9]+', 'N', line)[:200]}"] += 1
    return found


def find_not_storable(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if any(word in line for word in _NOT_STORABLE)]
