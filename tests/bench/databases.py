"""Filled databases: made once and kept. On SQLite in data/bench, on PostgreSQL on the server of the tests."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "data/bench"
_SERVER = "postgres://postgres@127.0.0.1:5432/postgres"


@dataclass(frozen=True, kw_only=True)
class Database:
    """One with so many requests."""

    vendor: str
    requests: int
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Of the portal's processes that use it."""
        return os.environ | {
            "PORTAL_LOCAL": "1",
            "AGENTSTATION_API_KEY": "",
            "SECRET_KEY": "",
            "DATABASE_URL": self.url,
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *words: str) -> float:
        """Run Python with these arguments; returns the seconds it took."""
        begun = time.monotonic()
        subprocess.run([sys.executable, *words], cwd=ROOT, env=self.environment, check=True)
        return time.monotonic() - begun


def find_server() -> str:
    """The URL of a database on the PostgreSQL server of the tests."""
    given = os.environ.get("DATABASE_URL", "")
    return given if given.startswith("postgres") else _SERVER


def find_database(*, vendor: str, requests: int) -> Database:
    """The database; on PostgreSQL it is made if it is not there yet."""
    if vendor == "sqlite":
        FOLDER.mkdir(parents=True, exist_ok=True)
        return Database(vendor=vendor, requests=requests, url=f"sqlite:///{FOLDER}/{requests}.sqlite3")
    server, name = find_server(), f"bench_{requests}"
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            connection.execute(f"CREATE DATABASE {name}")
    return Database(vendor=vendor, requests=requests, url=urlsplit(server)._replace(path=f"/{name}").geturl())


def prepare(database: Database) -> dict[str, float]:
    """Bring it to the present tables and fill it, as far as it is not. Returns the seconds of both."""
    migrated = database.run("manage.py", "migrate", "--verbosity=0")
    filled = database.run("-m", "tests.bench.filling", "--requests", str(database.requests))
    database.run("manage.py", "collectstatic", "--no-input", "--verbosity=0")
    return {"migrate": migrated, "fill": filled}
