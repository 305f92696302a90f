"""Calls to a portal in a process of its own, so that the few and the many requests are measured in turns."""

import json
import subprocess
import sys
from typing import Any

from tests.bench.databases import ROOT, Database


class CallFailed(Exception):
    """The portal did not answer as it should."""


class Caller:
    """A process of the portal over one database."""

    def __init__(self, database: Database) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.inside"],
            cwd=ROOT,
            env=database.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts = self.ask(do="facts")

    def ask(self, **call: Any) -> dict[str, Any]:
        """What a call cost. Raises CallFailed where a page is not answered with 200."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise CallFailed("the portal's process has ended")
        response: dict[str, Any] = json.loads(line)
        if response.get("status", 200) != 200:
            raise CallFailed(f"{call.get('path')} answered {response['status']}")
        return response

    def get(self, path: str, person: str) -> dict[str, Any]:
        """Read a page."""
        return self.ask(do="get", path=path, person=person)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
