"""`python -m tests.bench.peers.bare --count N --threads N`: a loop that asks the provider and keeps a line of each.

Does what is missing in its table to the count. Tells, as JSON, when each began and when it was kept.
"""

import argparse
import contextlib
import http.client
import json
import os
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psycopg

TABLE = "CREATE TABLE IF NOT EXISTS request (status TEXT NOT NULL, uid TEXT NOT NULL)"


def open_database(url: str) -> Any:
    if url.startswith("postgres"):
        return psycopg.connect(url, autocommit=True)
    path = url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    return connection


def post(url: str, key: str) -> tuple[int, str]:
    """The provider's status, and what it made."""
    parts = urlsplit(url)
    wire = http.client.HTTPConnection(parts.netloc, timeout=60)
    with contextlib.closing(wire):
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        wire.request("POST", f"{parts.path}/workstations", '{"type": "python"}', headers)
        answer = wire.getresponse()
        return answer.status, json.loads(answer.read()).get("id", "")


def work(database: Any, lock: threading.Lock, count: int) -> list[tuple[float, float]]:
    """So many, one after the other; of each when it began and when it was kept."""
    url, key = os.environ["AGENTSTATION_BASE_URL"], os.environ["AGENTSTATION_API_KEY"]
    mark = "%s" if isinstance(database, psycopg.Connection) else "?"
    told = []
    for _ in range(count):
        begun = time.time()
        status, uid = post(url, key)
        with lock:
            word = "SUCCEEDED" if status == 200 else "FAILED"
            database.execute(f"INSERT INTO request VALUES ({mark}, {mark})", (word, uid))
        told.append((begun, time.time()))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with contextlib.closing(open_database(os.environ["DATABASE_URL"])) as database:
        database.execute(TABLE)
        missing = options.count - database.execute("SELECT count(*) FROM request").fetchone()[0]
        shares = [len(range(number, missing, options.threads)) for number in range(options.threads)]
        lock = threading.Lock()
        with ThreadPoolExecutor(options.threads) as pool:
            told = [pool.submit(work, database, lock, share) for share in shares if share]
            json.dump([times for one in told for times in one.result()], sys.stdout)


if __name__ == "__main__":
    main()
