"""A site's database: prepared once, and copied anew for each measurement."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.bench import databases


class Sqlite:
    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._file = folder, f"{name}.sqlite3"
        self.url = f"sqlite:///{folder}/{self._file}"

    def keep(self) -> None:
        shutil.copy(self._folder / self._file, self._folder / f"prepared-{self._file}")

    def renew(self) -> None:
        for path in self._folder.glob(f"{self._file}*"):
            path.unlink()
        shutil.copy(self._folder / f"prepared-{self._file}", self._folder / self._file)

    def open(self) -> Any:
        path = self._folder / self._file
        return sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)

    def list_processes(self) -> list[int]:
        return []

    def drop(self) -> None:
        """Nothing: its folder goes."""


class Postgres:
    def __init__(self, folder: Path, name: str) -> None:
        self._server = databases.find_server()
        self._name = f"bench_crowd_{os.getpid()}_{name}"
        self.url = urlsplit(self._server)._replace(path=f"/{self._name}").geturl()
        self._run(f"CREATE DATABASE {self._name}")

    def keep(self) -> None:
        """What is there now is what each measurement begins with."""
        self._run(f"CREATE DATABASE {self._name}_prepared TEMPLATE {self._name}")

    def renew(self) -> None:
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._run(f"CREATE DATABASE {self._name} TEMPLATE {self._name}_prepared")

    def open(self) -> Any:
        return psycopg.connect(self.url, autocommit=True)

    def list_processes(self) -> list[int]:
        """Those of the server, where it is on this machine, that work for it."""
        with psycopg.connect(self._server) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self._name])
            pids = [pid for (pid,) in found]
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    def drop(self) -> None:
        for name in (self._name, f"{self._name}_prepared"):
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement)


KINDS: dict[str, Callable[[Path, str], Sqlite | Postgres]] = {"sqlite": Sqlite, "postgresql": Postgres}
