"""What a workstation of each type leaves in its workspace: names of files, types and levels of logs, and their text."""

import json
from pathlib import PurePath

FILES: dict[str, tuple[str, ...]] = {
    "max": ("session.md", "screens.csv", "clipboard.txt", "downloads.json", "summary.md"),
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


def read_text(name: str, uid: str) -> str:
    """The text of the file `name` of the workstation `uid`: always the same, so its size is known beforehand."""
    suffix = PurePath(name).suffix
    if suffix == ".csv":
        return "row,workstation,value\n" + "".join(f"{row},{uid},{row * row}\n" for row in range(ROWS))
    if suffix == ".json":
        return (
            json.dumps({"workstation": uid, "name": name, "values": [row * row for row in range(ROWS)]}, indent=2)
            + "\n"
        )
    return "".join(f"{name}, line {row} of {ROWS}: left here by workstation {uid}.\n" for row in range(1, ROWS + 1))
