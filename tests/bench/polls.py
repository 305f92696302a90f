"""`python -m tests.bench.polls --pages N --seconds N --database sqlite|postgres`: what open status pages cost.

Starts the web server as `make run` does, opens as many pages of unfinished requests, lets each poll as a browser
does, and reads the processor time of the web processes.
"""

import argparse
import heapq
import html
import http.client
import math
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.chaos import inside, stage

SCRIPT = (stage.ROOT / "static/portal.js").read_text()


def read_seconds(name: str) -> list[float]:
    """As static/portal.js has them under the name."""
    found = re.search(rf"{name} = \[?([0-9., ]+)\]?;", SCRIPT)
    assert found, f"static/portal.js has no {name}"
    return [float(word) for word in found[1].split(",")]


PAUSES, [SOON_FOR] = read_seconds("PAUSES"), read_seconds("SOON_FOR")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(kw_only=True)
class Page:
    """An open status page: where its live part asks, how often at most, and how often it has met nothing new."""

    session: str
    poll: str = ""
    pause: float = 0.0
    soon: float = 0.0
    quiet: int = 0

    def read(self, text: str) -> None:
        """Take the address of the next poll from the page or from a part of it."""
        found = re.search(r'id="live"[^>]*?data-hx-get="(.+?)"[^>]*?data-pause="(.+?)"([^>]*)>', text)
        assert found, "the page has no live part"
        self.poll, self.pause, self.quiet = html.unescape(found[1]), float(found[2]), 0
        soon = re.search(r'data-soon="(.+?)"', found[3])
        self.soon = float(soon[1]) if soon else 0.0

    def wait(self) -> float:
        """Seconds until it asks again, as static/portal.js counts them."""
        early = math.ceil(SOON_FOR / self.soon) if self.soon else 0
        if self.quiet < early:
            return self.soon
        return max(PAUSES[min(self.quiet - early, len(PAUSES) - 1)], self.pause)


class Bench:
    """One run."""

    def __init__(self, *, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._port = options, stage.find_port()
        self._database = stage.Sqlite(folder) if options.database == "sqlite" else stage.Postgres(folder)
        self.environment = os.environ | {
            "PORTAL_LOCAL": "1",
            "SECRET_KEY": secrets.token_hex(32),
            "AGENTSTATION_API_KEY": "",
            "DATABASE_URL": self._database.url,
            "PORT": str(self._port),
        }
        self._log = folder / "web.log"
        self.responses: Counter[int] = Counter()

    def run(self) -> None:
        """Prepare, measure twice, and end all that was started."""
        self._database.start()
        try:
            self._prepare()
            web = self._start("web", [sys.executable, "-m", "gunicorn", "portal.wsgi"])
            try:
                self._measure(web)
            finally:
                web.end()
        finally:
            connection.close()
            self._database.stop()

    def _start(self, name: str, command: list[str]) -> stage.Actor:
        actor = stage.Actor(name=name, command=command, environment=self.environment, log=self._log, port=self._port)
        actor.bring_up()
        return actor

    def _prepare(self) -> None:
        """Tables, static files, and for each page a member with a request that nobody sends."""
        for words in (["migrate", "--verbosity=0"], ["collectstatic", "--no-input", "--verbosity=0"]):
            subprocess.run([sys.executable, "manage.py", *words], cwd=stage.ROOT, env=self.environment, check=True)
        inside.open_portal(self.environment)
        names = [f"member-{number}" for number in range(self._options.pages)]
        sessions = inside.make_sessions(names, group="Members")
        self._pages = [(self._submit(name), Page(session=session)) for name, session in sessions.items()]
        for path, _ in self._pages[1::2]:
            rows = apps.get_model("portal", "Request").objects.filter(pk=path.split("/")[2])
            rows.update(status="UNKNOWN", failure="no-answer", was_unknown=True)

    @staticmethod
    def _submit(name: str) -> str:
        from portal.services.requests import submissions

        person = apps.get_model("portal", "User").objects.get(username=name)
        row = submissions.submit_request(requester=person, submission=uuid4(), type="max", workspace_uid="", note="")
        return f"/requests/{row.pk}/"

    def _measure(self, web: stage.Actor) -> None:
        for path, page in self._pages:
            page.read(self._get(path, page)[1])
        _print(f"{len(self._pages)} status pages, half in the queue, half of unknown outcome, {self._options.database}")
        counts = [self._count_queries(page) for _, page in self._pages[:2]]
        _print(f"queries for a poll without news: {counts[0]} in the queue, {counts[1]} of unknown outcome")
        due = [(time.monotonic() + page.wait(), number) for number, (_, page) in enumerate(self._pages)]
        heapq.heapify(due)
        settled = SOON_FOR + sum(PAUSES)  # from then on every page waits for its longest pause
        for words, seconds in (("from their opening on", settled), ("then", self._options.seconds)):
            self._report(words, seconds, *self._poll(web, due, seconds))

    def _poll(self, web: stage.Actor, due: list[tuple[float, int]], seconds: float) -> tuple[float, int]:
        """Let the pages poll for as long; the web server's processor time in seconds, and how many polls there were."""
        begun, used, polls = time.monotonic(), self._read_time(web), 0
        while due[0][0] < begun + seconds:
            at, number = heapq.heappop(due)
            time.sleep(max(0.0, at - time.monotonic()))
            page = self._pages[number][1]
            status, text = self._get(page.poll, page, {"HX-Request": "true"})
            self.responses[status] += 1
            polls += 1
            if status == 200:
                page.read(text)
            else:
                page.quiet += 1
            heapq.heappush(due, (time.monotonic() + page.wait(), number))
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        return self._read_time(web) - used, polls

    def _report(self, words: str, seconds: float, used: float, polls: int) -> None:
        _print(
            f"{words}, {seconds:.0f} s: {100 * used / seconds:.1f} % of a core, {polls / seconds:.1f} polls a second, "
            f"{1000 * used / max(polls, 1):.2f} ms a poll; answers so far: {dict(self.responses)}"
        )

    def _count_queries(self, page: Page) -> int:
        """Those of the same poll inside this process."""
        client = Client(headers={"HX-Request": "true"})
        client.cookies["sessionid"] = page.session
        with CaptureQueriesContext(connection) as queries:
            response = client.get(page.poll, headers={"host": "127.0.0.1"})
        assert response.status_code == 204, response.status_code
        return len(queries)

    def _get(self, path: str, page: Page, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """A connection each, as pauses are longer than the server keeps one."""
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        wire.request("GET", path, headers={"Cookie": f"sessionid={page.session}", **(headers or {})})
        response = wire.getresponse()
        text = response.read().decode()
        wire.close()
        assert response.status in (200, 204), f"{path} answered {response.status}"
        return response.status, text

    @staticmethod
    def _read_time(web: stage.Actor) -> float:
        """Processor time of gunicorn and its workers so far, in seconds."""
        return sum(map(read_time, (web.pid, *web.list_children())))


def read_time(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS  # user and system


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(*, make: type[Bench] = Bench, description: str | None = __doc__, pages: int = 200) -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--pages", type=int, default=pages)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    options: Any = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        Path(folder).chmod(0o755)  # the postgres user has to get in
        make(options=options, folder=Path(folder)).run()


if __name__ == "__main__":
    main()
