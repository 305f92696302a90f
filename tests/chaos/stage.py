"""The stage: the portal's processes, the sandbox and the database, each of which can be stopped and started again."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg

from portal.sandbox import names
from tests import ports
from tests.chaos import clocks, habits

# What `manage.py` needs to print how what was done fits the model of the protocol.
REPLAY = ("shell", "-v0", "-c", "from tests.protocol import traces; traces.print_traces()")
ROOT = Path(__file__).resolve().parent.parent.parent
START_WITHIN = 60.0
# A worker may drain its calls in flight, and wait for a locked database while it does; longer is a process that hangs.
END_WITHIN = 60.0
# Short times, so that a run of minutes meets every deadline. The deadline of an attempt is the sum of the first three.
SEND_MARGIN, TOTAL_TIMEOUT, RECORD_MARGIN, SETTLE_GRACE = 0.5, 2.0, 1.5, 3.0
DEADLINE = SEND_MARGIN + TOTAL_TIMEOUT + RECORD_MARGIN


class CannotStage(Exception):
    """The run cannot begin; the message is one line for the person who started it."""


def wait_until(is_true: Callable[[], bool], *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_answering(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Part(threading.Thread):
    """What acts in a thread of its own until it is stopped, which may be said more than once."""

    def __init__(self) -> None:
        super().__init__(name=type(self).__name__.lower())
        self.stopping = threading.Event()

    def stop(self) -> None:
        self.stopping.set()
        if self.is_alive():
            self.join(timeout=120)


@dataclass(kw_only=True)
class Actor:
    """One process of the portal, in a session of its own; its words go to a file."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    port: int | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    # Until when it is stopped (SIGSTOP), and since when it is asked to end (SIGTERM); 0: it is not.
    stopped_until: float = field(default=0.0, init=False)
    ending_since: float = field(default=0.0, init=False)

    def start(self) -> None:
        self.stopped_until = self.ending_since = 0.0
        with self.log.open("ab") as words:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def bring_up(self) -> None:
        """Start it, and wait until its port answers. Raises CannotStage."""
        self.start()
        if not wait_until(self.is_up, seconds=START_WITHIN):
            raise CannotStage(f"{self.name} does not start; see {self.log}")

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_up(self) -> bool:
        return self.port is None or is_answering(self.port)

    def has_ended(self) -> bool:
        return not self.is_alive()

    def count_threads(self) -> int:
        try:
            return len(list(Path(f"/proc/{self.pid}/task").iterdir()))
        except OSError:
            return 0

    def list_children(self) -> list[int]:
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except OSError:
            return []

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def end(self) -> bool:
        """End it for good; returns whether it ended by itself within its time."""
        if self.process is None:
            return True
        if not self.is_alive():
            self.signal_group(signal.SIGKILL)
            return True
        self.signal_group(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if is_over := wait_until(self.has_ended, seconds=END_WITHIN):
            self.signal_group(signal.SIGKILL)
        else:
            self.abort()
        return is_over

    def abort(self) -> None:
        """End one that hangs; where every thread stood goes to its log."""
        self.signal_group(signal.SIGABRT)
        wait_until(self.has_ended, seconds=5)
        self.signal_group(signal.SIGKILL)
        wait_until(self.has_ended, seconds=10)


def _back_up(source: Path, target: Path) -> None:
    opened = (sqlite3.connect(source, timeout=20), sqlite3.connect(target, timeout=20))
    with contextlib.closing(opened[0]) as read, contextlib.closing(opened[1]) as written:
        read.backup(written)


class Sqlite:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "portal.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def start(self) -> None:
        """Nothing: its file is made by `migrate`."""

    def stop(self) -> None:
        """Nothing."""

    def copy(self, name: str = "copy") -> str:
        path = self._folder / f"{name}.sqlite3"
        _back_up(self.path, path)
        return f"sqlite:///{path}"

    def put_back(self, name: str) -> None:
        """Have it be the copy again, in the same file, while processes work with it."""
        _back_up(self._folder / f"{name}.sqlite3", self.path)


class Postgres:
    """A PostgreSQL cluster of our own, on a free port. `environment` is for the server alone."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder, self._port = folder / "cluster", ports.find_port()
        self._environment = [f"{name}={value}" for name, value in environment.items()]
        self._programs = self._find_programs()
        self.url = f"postgres://portal@127.0.0.1:{self._port}/portal"

    def start(self) -> None:
        self._folder.mkdir()
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(self._folder, "postgres", "postgres")
        self._run("initdb", "--auth=trust", "--username=portal", "--no-sync", "--encoding=UTF8", "-D", self._data)
        # What the operating system has taken survives the death of every process: it needs no fsync here.
        options = f"-c port={self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        options += " -c fsync=off -c full_page_writes=off -c log_min_messages=fatal"
        self._serve("start", "-o", options)
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "portal", "portal")

    def crash(self) -> None:
        """Restart it as after a crash: every connection breaks, and what was not committed is gone."""
        self._serve("restart", "-m", "immediate")

    def copy(self, name: str = "copy") -> str:
        """Copy the database, which breaks every connection to it; returns the copy's URL."""
        with self._connect() as connection:
            connection.execute("ALTER DATABASE portal ALLOW_CONNECTIONS false")
            try:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'portal'"
                )
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # an earlier try's
                connection.execute(f"CREATE DATABASE {name} TEMPLATE portal")
            finally:
                connection.execute("ALTER DATABASE portal ALLOW_CONNECTIONS true")
        return f"postgres://portal@127.0.0.1:{self._port}/{name}"

    def put_back(self, name: str) -> None:
        """Have the copy be the database, while processes work with it; this breaks every connection."""
        with self._connect() as connection:
            connection.execute("DROP DATABASE portal WITH (FORCE)")
            connection.execute(f"ALTER DATABASE {name} RENAME TO portal")

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(f"postgres://portal@127.0.0.1:{self._port}/postgres", autocommit=True)

    def stop(self) -> None:
        if (self._folder / "data/postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    @property
    def _data(self) -> str:
        return f"{self._folder}/data"

    @staticmethod
    def _find_programs() -> Path:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        if not found:
            raise CannotStage("PostgreSQL is not installed; on Debian: apt install postgresql")
        return found[-1]

    def _serve(self, act: str, *options: str) -> None:
        self._run("pg_ctl", act, "-w", "-D", self._data, "-l", f"{self._folder}/log", *options)

    def _run(self, program: str, *arguments: str) -> None:
        command = ["env", *self._environment, str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Into a file: a pipe would stay open for as long as the server that pg_ctl starts.
        with (self._folder.parent / "cluster.txt").open("ab") as words:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=words, stderr=words, timeout=60, check=False
            )
        if done.returncode:
            raise CannotStage(f"{program} failed; see {words.name}")


class Stage:
    def __init__(self, *, folder: Path, database: str, workers: int, enabled: frozenset[str]) -> None:
        self.folder, self.habits = folder, enabled
        self.clock = clocks.Clock(folder=folder)
        try:
            clocked = self.clock.make_environment() if habits.CLOCK_STEPS in enabled else {}
        except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
            raise CannotStage(str(error)) from error
        self.database: Sqlite | Postgres = (
            Sqlite(folder) if database == "sqlite" else Postgres(folder, environment=clocked)
        )
        self.port = ports.find_port(2)
        self.sandbox_port = self.port + 1
        self.address, self.provider = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.sandbox_port}"
        self.sent = folder / "sent"
        self.environment = os.environ | {
            "PORTAL_AUDIT_STREAM": f"file://{self.sent}",
            "PYTHONFAULTHANDLER": "1",
            "PORTAL_LOCAL": "1",
            "DJANGO_SETTINGS_MODULE": "tests.rehearsal",
            "PORTAL_LIMITS": "off",
            "SECRET_KEY": secrets.token_hex(32),
            # A copy of the database, or another key, matters only where the provider is a real one.
            "AGENTSTATION_API_KEY": names.DEFAULT_API_KEY
            if enabled & {habits.COPY, habits.KEYS, habits.DATABASE_BACK}
            else "",
            "AGENTSTATION_BASE_URL": f"{self.provider}/v1",
            "DATABASE_URL": self.database.url,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            "AGENTSTATION_CONNECT_TIMEOUT": "1",
            "AGENTSTATION_TOTAL_TIMEOUT": str(TOTAL_TIMEOUT),
            "PORTAL_SEND_MARGIN": str(SEND_MARGIN),
            "PORTAL_RECORD_MARGIN": str(RECORD_MARGIN),
            "PORTAL_RECONCILE_GRACE": str(SETTLE_GRACE),
            "PORTAL_JOB_INTERVAL": "0.5",
            "PORTAL_SCAN_INTERVAL": "5",
            "PORTAL_REFRESH_INTERVAL": "20",
            "PORTAL_RETRY_DELAY": "0.1",
            "PORTAL_CALLS_IN_FLIGHT": "32",
        }
        manage = [sys.executable, str(ROOT / "manage.py")]
        provider = [sys.executable, "-m", "tests.provider", "--port", str(self.sandbox_port), "--lifetime", "30"]
        provider += ["--data", f"{folder}/sandbox.sqlite3"]
        self.sandbox = self._cast("sandbox", provider, port=self.sandbox_port)
        self.copy: Actor | None = None
        self._clocked = clocked
        self.web = self._cast("web", [sys.executable, "-m", "gunicorn", "portal.wsgi"], port=self.port, more=clocked)
        self.workers = [
            self._cast(f"worker-{number}", [*manage, "work"], more=clocked) for number in range(1, workers + 1)
        ]
        if habits.KEYS in enabled:
            former = clocked | {"AGENTSTATION_API_KEY": habits.FORMER_KEY}
            self.workers.append(self._cast("worker-former", [*manage, "work"], more=former))

    def _cast(
        self, name: str, command: list[str], port: int | None = None, more: Mapping[str, str] | None = None
    ) -> Actor:
        log = self.folder / f"{name}.log"
        return Actor(name=name, command=command, environment={**self.environment, **(more or {})}, log=log, port=port)

    def start_copy(self) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), "work"]
        self.copy = self._cast("copy", command, more=self._clocked | {"DATABASE_URL": self.database.copy()})
        self.copy.start()

    @property
    def actors(self) -> list[Actor]:
        return [self.sandbox, *self.workers, self.web]

    def prepare(self) -> None:
        self.database.start()
        for words in (["migrate", "--verbosity=0"], ["collectstatic", "--no-input", "--verbosity=0"]):
            command = [sys.executable, str(ROOT / "manage.py"), *words]
            done = subprocess.run(
                command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180, check=False
            )
            if done.returncode:
                raise CannotStage(f"{words[0]} failed: {done.stderr.strip()[-500:]}")

    def start(self) -> None:
        for actor in self.actors:
            actor.start()
        for actor in self.actors:
            if not wait_until(actor.is_up, seconds=START_WITHIN):
                raise CannotStage(f"{actor.name} does not start; see {actor.log}")

    def stop_portal(self) -> list[str]:
        return [actor.name for actor in (self.web, *self.workers) if not actor.end()]

    def stop(self) -> None:
        """End whatever still runs, the sandbox last, so that nobody waits for its responses."""
        for actor in reversed([*self.actors, *([self.copy] if self.copy else [])]):
            actor.end()
        self.database.stop()
