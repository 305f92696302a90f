"""Filled databases: made once and kept. On SQLite in data/bench, on PostgreSQL on the server of the tests."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDER = ROOT / "data/bench"
_SERVER = "postgres://postgres@127.0.0.1:5432/postgres"


def find_server() -> str:
    given = os.environ.get("DATABASE_URL", "")
    return given if given.startswith("postgres") else _SERVER


def prepare(*, vendor: str, requests: int) -> dict[str, str]:
    """Fill one with so many requests, as far as it is not; the environment of a portal that uses it."""
    if vendor == "sqlite":
        _FOLDER.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{_FOLDER}/{requests}.sqlite3"
    else:
        server, name = find_server(), f"bench_{requests}"
        url = urlsplit(server)._replace(path=f"/{name}").geturl()
        with psycopg.connect(server, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f"CREATE DATABASE {name}")
    ours = {
        "PORTAL_LOCAL": "1",
        "AGENTSTATION_API_KEY": "",
        "SECRET_KEY": "",
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "tests.rehearsal",
        "PORTAL_LIMITS": "off",
    }
    for words in (
        ["manage.py", "migrate", "--verbosity=0"],
        ["-m", "tests.bench.filling", "--requests", str(requests)],
        ["manage.py", "collectstatic", "--no-input", "--verbosity=0"],
    ):
        subprocess.run([sys.executable, *words], cwd=ROOT, env=os.environ | ours, check=True)
    return os.environ | ours
