"""Who is compared: a bare loop (A), the site of an afternoon (B, and B+ with more threads), and the portal."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.crowd import people, stores
from tests.bench.crowd.provider import Provider
from tests.chaos import stage
from tests.e2e import proxied

RESTARTED_AFTER = 2.0  # seconds, as README.md tells systemd
_LOOKED_EVERY = 0.001  # seconds between looks at the database for the end of the one request under way
_PATIENCE = 3600.0  # seconds; where nothing else tells an outcome it is known after fifteen minutes, maybe twice
_PEOPLE = """
import json
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

def sign_in(number):
    person = get_user_model().objects.create_user(f"person-{{number}}")
    person.groups.set(Group.objects.filter(name="Members"))
    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value

print(json.dumps([sign_in(number) for number in range({count})]))
"""


class Subject:
    """One that is measured: its database, and its processes against the provider."""

    name = ""
    uids = ""  # SQL: what was made, as far as it knows

    def __init__(self, *, folder: Path, vendor: str, provider: Provider, count: int) -> None:
        self.provider, self.folder, self.count = provider, folder, count
        self.store = stores.KINDS[vendor](folder, self.name.lower().replace("+", "_plus").replace(" ", "_"))
        self.port = stage.find_port()
        self.environment = proxied.make_environment(database_url=self.store.url, port=self.port)
        self.environment["AGENTSTATION_BASE_URL"] = provider.base_url

    def prepare(self) -> None:
        """Make all that does not belong to a measurement."""

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of its database."""
        with contextlib.closing(self.store.open()) as opened:
            rows: list[tuple[Any, ...]] = opened.execute(query).fetchall()
        return rows

    def list_known(self) -> set[str]:
        """The workstations that it knows of."""
        return {row[0] for row in self.read(self.uids) if row[0]}


class Bare(Subject):
    """A loop in a process."""

    name = "A"
    uids = "SELECT uid FROM request"
    _process: "subprocess.Popen[str]"

    def prepare(self) -> None:
        self.begin(count=0)
        self.end()
        self.store.keep()

    def renew(self) -> None:
        """Forget what was done."""
        self.provider.reset()
        self.store.renew()

    def begin(self, *, count: int, threads: int = 1) -> None:
        """Let it do what is missing to so many."""
        command = ["-m", "tests.bench.peers.bare", "--count", str(count), "--threads", str(threads)]
        self._process = subprocess.Popen(
            [sys.executable, *command], cwd=stage.ROOT, env=self.environment, stdout=subprocess.PIPE, text=True
        )

    def end(self) -> list[tuple[float, float]]:
        """Wait until it has done all; of each when it began and when it was kept."""
        told: list[tuple[float, float]] = json.loads(self._process.communicate(timeout=_PATIENCE)[0])
        return told

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.communicate()


class Site(Subject):
    """One with pages. `people` are signed in, and one more who looks around."""

    manage: Iterable[str] = ()
    preparing: Iterable[Iterable[str]] = ()
    table = ""

    def prepare(self) -> None:
        for words in self.preparing:
            self.run(*words)
        sessions = json.loads(self.run("shell", "-v0", "-c", _PEOPLE.format(count=self.count + 1)))
        self.people = [people.Person(port=self.port, session=session) for session in sessions[1:]]
        self.looker = people.Person(port=self.port, session=sessions[0])
        self.store.keep()

    def run(self, *words: str) -> str:
        """One of its commands. Raises CannotStage."""
        command = [sys.executable, *self.manage, *words]
        done = subprocess.run(
            command, cwd=stage.ROOT, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise stage.CannotStage(f"{self.name}: {words[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def cast(self, name: str, *command: str, port: int | None = None) -> stage.Actor:
        """One of its processes."""
        return stage.Actor(
            name=f"{self.name}-{name}",
            command=[sys.executable, *command],
            environment=dict(self.environment),
            log=self.folder / f"{self.name}-{name}.log",
            port=port,
        )

    def start(self, *, cap: int = 16) -> None:
        """Start it as new, and let some people use it, so that nothing is done for the first time afterwards."""
        self.provider.reset()
        self.store.renew()
        self.environment["PORTAL_CALLS_IN_FLIGHT"] = str(cap)
        self.start_processes()
        self._database = self.store.open()
        asyncio.run(self._warm_up())

    def start_processes(self) -> None:
        """Start all that it consists of."""

    def kill(self) -> None:
        """Kill one of its processes, which is started again."""
        raise NotImplementedError

    def stop(self) -> None:
        """End its processes."""
        self._database.close()

    async def _warm_up(self) -> None:
        own, *others = await asyncio.gather(*(one.submit() for one in (self.looker, *self.people[:16])))
        await self.await_ends([own, *others])
        self.paths = ["/requests/new/", "/requests/", f"/requests/{own}/"]
        await asyncio.gather(*(self.looker.get(path) for path in self.paths * 12))

    # --- What its database says ---

    def count_final(self) -> int:
        """Requests that have ended."""
        query = f"SELECT count(*) FROM {self.table} WHERE ended_at IS NOT NULL"
        return int(self._database.execute(query).fetchone()[0])

    async def await_ends(self, numbers: Iterable[int], *, patience: float = _PATIENCE) -> dict[int, float]:
        """When each of these requests ended; after so much patience only of those that did."""
        wanted, end = set(numbers), time.monotonic() + patience
        while not wanted <= (ends := self.list_ends()).keys() and time.monotonic() < end:
            await asyncio.sleep(0.1)
        return {number: at for number, at in ends.items() if number in wanted}

    def watch_final(self, count: int) -> float:
        """When so many had ended, looked at all the time."""
        end = time.monotonic() + _PATIENCE
        while self.count_final() < count and time.monotonic() < end:
            time.sleep(_LOOKED_EVERY)
        return time.time()

    def list_ends(self) -> dict[int, float]:
        """When each request that has ended did."""
        rows = self._database.execute(f"SELECT id, ended_at FROM {self.table} WHERE ended_at IS NOT NULL").fetchall()
        return {number: read_time(at) for number, at in rows}


class Afternoon(Site):
    """Two processes of gunicorn with so many threads each, and nothing else."""

    name, threads = "B", 4
    manage = ("-m", "django")
    preparing = (("migrate", "--verbosity=0"), ("migrate", "--run-syncdb", "--verbosity=0"))
    table, uids = "afternoon_request", "SELECT uid FROM afternoon_request"

    def prepare(self) -> None:
        self.environment["DJANGO_SETTINGS_MODULE"] = "tests.bench.peers.afternoon.settings"
        super().prepare()

    def start_processes(self) -> None:
        options = ["--workers=2", f"--threads={self.threads}", f"--bind=127.0.0.1:{self.port}", "--no-control-socket"]
        application = "django.core.wsgi:get_wsgi_application()"
        self._web = self.cast("web", "-m", "gunicorn", "--config=/dev/null", *options, application, port=self.port)
        self._web.bring_up()

    def kill(self) -> None:
        """Kill one of the processes; gunicorn starts another."""
        os.kill(self._web.list_children()[0], signal.SIGKILL)

    def stop(self) -> None:
        super().stop()
        self._web.end()


class Threaded(Afternoon):
    """The same with as many threads as there are people."""

    name, threads = "B+", 100


class ThreadedOnSqlite(Threaded):
    """The same where everything else is on another database: with many threads it is quickest on SQLite."""

    name = "B+ on SQLite"

    def __init__(self, *, vendor: str, **values: Any) -> None:
        super().__init__(vendor="sqlite", **values)


class Portal(Site):
    """Web and workers as README.md starts them."""

    name = "portal"
    manage = ("manage.py",)
    preparing = (("migrate", "--verbosity=0"), ("collectstatic", "--no-input", "--verbosity=0"))
    table, uids = "portal_request", "SELECT uid FROM portal_workstation"

    def start_processes(self) -> None:
        self._web = self.cast("web", "-m", "gunicorn", "portal.wsgi", port=self.port)
        self._web.bring_up()
        self.start_workers(1)

    def start_workers(self, count: int, *, threads: int | None = None) -> None:
        """So many, all at once; of so many threads that send, or as many as is the default."""
        options = [f"--threads={threads}"] if threads else []
        self._workers = [self.cast(f"worker-{number}", "manage.py", "work", *options) for number in range(count)]
        for worker in self._workers:
            worker.start()

    def stop_workers(self) -> None:
        """Let them finish."""
        for worker in self._workers:
            worker.end()

    def kill(self) -> None:
        """Kill the worker; systemd starts another."""
        [worker] = self._workers
        worker.signal(signal.SIGKILL)
        time.sleep(RESTARTED_AFTER)
        worker.start()

    def stop(self) -> None:
        super().stop()
        self.stop_workers()
        self._web.end()


def read_time(at: Any) -> float:
    """Seconds since 1970 of a time as the database gives it."""
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


KINDS: tuple[type[Subject], ...] = (Bare, Afternoon, Threaded, ThreadedOnSqlite, Portal)
