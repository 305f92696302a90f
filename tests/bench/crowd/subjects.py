"""Who is compared: the site of an afternoon (B, and B+ with more threads), and the portal."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import ports
from tests.bench import figures
from tests.bench.crowd import people, stores
from tests.bench.crowd.provider import Provider
from tests.chaos import stage
from tests.e2e import proxied

CAP = 16  # calls in flight: the portal's default
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
_DESKTOPS = """
import json
from portal import models
made = models.Workstation.objects.select_related("request__requester").order_by("-pk")[:{count}]
desktops = [models.Connection(workstation=one, person=one.request.requester, kind="desktop") for one in made]
opened = models.Connection.objects.bulk_create(desktops)
print(json.dumps([(int(one.person.username.rpartition("-")[2]), one.pk) for one in opened]))
"""


class Site:
    """Its database, and its processes against the provider. `people` are signed in, and one more who looks around."""

    name = ""
    manage: Iterable[str] = ()
    settings: Mapping[str, str] = {}
    preparing: Iterable[Iterable[str]] = ()
    table = ""  # of requests

    def __init__(self, *, folder: Path, vendor: str, provider: Provider, count: int) -> None:
        self.provider, self.folder, self.vendor, self.count = provider, folder, vendor, count
        self.store = stores.KINDS[vendor](folder, self.name.lower().replace("+", "_plus"))
        self.port = ports.find_port()
        self.environment = proxied.make_environment(database_url=self.store.url, port=self.port)
        self.environment |= {"DJANGO_SETTINGS_MODULE": "tests.rehearsal", "PORTAL_LIMITS": "off"}
        self.environment |= {"AGENTSTATION_BASE_URL": provider.base_url, **self.settings}

    def prepare(self) -> None:
        for words in self.preparing:
            self.run(*words)
        sessions = json.loads(self.run("shell", "-v0", "-c", _PEOPLE.format(count=self.count + 1)))
        self.looker, *self.people = (people.Person(port=self.port, session=session) for session in sessions)
        self.store.keep()

    def run(self, *words: str) -> str:
        command = [sys.executable, *self.manage, *words]
        done = subprocess.run(
            command, cwd=stage.ROOT, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise stage.CannotStage(f"{self.name}: {words[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def cast(self, name: str, *command: str, port: int | None = None) -> stage.Actor:
        log = self.folder / f"{self.name}-{name}.log"
        words, environment = [sys.executable, *command], dict(self.environment)
        actor = stage.Actor(name=f"{self.name}-{name}", command=words, environment=environment, log=log, port=port)
        self._actors.append(actor)
        actor.bring_up()
        return actor

    @contextlib.contextmanager
    def started(self, *, latency: float, cap: int = CAP) -> Iterator[None]:
        """It runs as new, but some people have used it, so that nothing is done for the first time."""
        self.provider.reset()
        self.store.renew()
        self.environment["PORTAL_CALLS_IN_FLIGHT"] = str(cap)
        self._database, self._actors = self.store.open(), list[stage.Actor]()
        try:
            self.start()
            asyncio.run(self._warm_up())
            self.provider.set_latency(latency)
            yield
        finally:
            self.provider.set_latency(0)
            self._database.close()
            for actor in reversed(self._actors):
                actor.end()

    def start(self) -> None:
        raise NotImplementedError

    async def _warm_up(self) -> None:
        own, *others = await asyncio.gather(*(one.submit() for one in (self.looker, *self.people[:16])))
        await self.await_ends([own, *others])
        self.paths = [people.FORM, "/requests/", f"/requests/{own}/"]
        await asyncio.gather(*(self.looker.get(path) for path in self.paths * 12))

    def read_work(self) -> dict[int, float]:
        """Seconds of processor time that each of its processes has had, those of its database included."""
        pids = [pid for actor in self._actors for pid in figures.list_family(actor.pid)]
        return {pid: figures.read_seconds(pid) for pid in (*pids, *self.store.list_processes())}

    # --- What its database says ---

    def read(self, query: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._database.execute(query).fetchall()
        return rows

    def count_final(self) -> int:
        return int(self.read(f"SELECT count(*) FROM {self.table} WHERE ended_at IS NOT NULL")[0][0])

    async def await_ends(self, numbers: Iterable[int]) -> dict[int, float]:
        """When each of these requests ended; where patience ends, only of those that did."""
        wanted, end = set(numbers), time.monotonic() + _PATIENCE
        while not wanted <= (ends := self._list_ends()).keys() and time.monotonic() < end:
            await asyncio.sleep(0.1)
        return {number: at for number, at in ends.items() if number in wanted}

    def watch_final(self, count: int) -> float:
        """When so many had ended, looked at all the time."""
        end = time.monotonic() + _PATIENCE
        while self.count_final() < count and time.monotonic() < end:
            time.sleep(_LOOKED_EVERY)
        return time.time()

    def _list_ends(self) -> dict[int, float]:
        rows = self.read(f"SELECT id, ended_at FROM {self.table} WHERE ended_at IS NOT NULL")
        return {number: read_time(at) for number, at in rows}


class Afternoon(Site):
    """Two processes of gunicorn with so many threads each, and nothing else."""

    name, threads = "B", 4
    manage, settings = ("-m", "django"), {"DJANGO_SETTINGS_MODULE": "tests.bench.peers.afternoon.settings"}
    preparing = (("migrate", "--verbosity=0"), ("migrate", "--run-syncdb", "--verbosity=0"))
    table = "afternoon_request"

    def start(self) -> None:
        options = ["--workers=2", f"--threads={self.threads}", f"--bind=127.0.0.1:{self.port}", "--no-control-socket"]
        application = "django.core.wsgi:get_wsgi_application()"
        self.cast("web", "-m", "gunicorn", "--config=/dev/null", *options, application, port=self.port)


class Threaded(Afternoon):
    """The same with as many threads as there are people."""

    name, threads = "B+", 100


class Portal(Site):
    """Web and workers as docs/production.md starts them."""

    name = "portal"
    manage = ("manage.py",)
    preparing = (("migrate", "--verbosity=0"), ("collectstatic", "--no-input", "--verbosity=0"))
    table = "portal_request"

    def start(self) -> None:
        self.cast("web", "-m", "gunicorn", "portal.wsgi", port=self.port)
        self.start_workers(1)

    def start_workers(self, count: int, *options: str) -> None:
        self.workers = [self.cast(f"worker-{number}", "manage.py", "work", *options) for number in range(count)]

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.end()
            self._actors.remove(worker)

    def open_desktops(self, count: int) -> list[tuple[people.Person, str]]:
        """Of the newest workstations; each with its person, and where its page says that it is open."""
        opened = json.loads(self.run("shell", "-v0", "-c", _DESKTOPS.format(count=count)))
        return [(self.people[number - 1], f"/connections/{pk}/alive/") for number, pk in opened]


def read_time(at: Any) -> float:
    """Seconds since 1970 of a time as the database gives it."""
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


KINDS: dict[str, type[Site]] = {kind.name: kind for kind in (Afternoon, Threaded, Portal)}
