"""`python -m tests.bench.scan --entries N --database sqlite|postgres`: what a scan of a long history costs.

The provider lists as many ended workstations as are asked for, over real HTTP, and an old request is unknown, so that
all of them are read: once while they are new here, and once more when they are known.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.chaos import stage
from tests.lists import Entry, serve_lists

LONGEST_LOCK = 0.05  # seconds
MOST_MEMORY = 150.0  # MB
_CHILD = "import django; django.setup(); from tests.bench import scanned; scanned.run()"


class History(Sequence[Entry]):
    """So many ended workstations, the newest first, one a minute; made up when they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._newest = datetime.now(UTC) - timedelta(hours=1)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._count))]
        moment = (self._newest - timedelta(minutes=place)).isoformat()
        files = [{"id": f"f{place}-{n}", "name": "result.csv", "size": 1, "createdAt": moment} for n in range(3)]
        listed = {"object": "list", "data": files}
        space = {"id": f"s{place // 3}", "status": "active", "createdAt": moment, "files": listed}
        return {"id": f"w{place}", "type": "python", "status": "completed", "startedAt": moment, "workspace": space}


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """The figures of both scans, made by a process of their own, so that its memory is known."""
    database = stage.Sqlite(folder) if options.database == "sqlite" else stage.Postgres(folder, environment={})
    database.start()
    try:
        with serve_lists() as lists:
            lists.history = History(options.entries)
            environment = os.environ | {
                "PORTAL_LOCAL": "1",
                "SECRET_KEY": secrets.token_hex(32),
                "AGENTSTATION_API_KEY": "bench",
                "AGENTSTATION_BASE_URL": lists.base_url,
                "DATABASE_URL": database.url,
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "DAYS": str(options.entries // 1440 + 2),
            }
            for command in (["manage.py", "migrate", "--verbosity=0"], ["-c", _CHILD]):
                done = subprocess.run(
                    [sys.executable, *command], cwd=stage.ROOT, env=environment, check=True, stdout=subprocess.PIPE
                )
        return [json.loads(line) for line in done.stdout.splitlines()]
    finally:
        database.stop()


def main() -> int:
    """Measure, print, and fail where a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        Path(folder).chmod(0o755)  # the postgres user has to get in
        figures = measure(options, Path(folder))
    for name, figure in zip(("new", "known"), figures, strict=True):
        sys.stdout.write(
            f"scan of {figure['entries']:,} entries that are {name}: {figure['seconds']:.1f} s in "
            f"{figure['rounds']} rounds, key locked {figure['key'] * 1000:.0f} ms at most, transactions "
            f"{figure['transaction'] * 1000:.0f} ms (p99 {figure['p99'] * 1000:.0f} ms), "
            f"memory {figure['memory']:.0f} MB\n"
        )
    missed = any(figure["key"] > LONGEST_LOCK or figure["memory"] > MOST_MEMORY for figure in figures)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
