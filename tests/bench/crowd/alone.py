"""What needs no crowd: what an idle portal costs, and one page of the history beside a plain one."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import databases, polls
from tests.bench.calls import Caller
from tests.bench.crowd.loads import Figures
from tests.bench.crowd.stores import KINDS
from tests.bench.figures import Times
from tests.chaos import stage

_SETTLED_AFTER = 15.0  # seconds from the start
_IDLE_FOR = 30.0  # seconds
_REQUESTS = 1000  # in the database whose history is read
_CALLS = 40
_PARTS = {"work": "worker", "gunicorn": "web", "run_sandbox": "sandbox"}


def measure_idle(*, folder: Path, vendor: str) -> Figures:
    """Memory and processor of all that `make run` starts, while nobody asks for anything."""
    store = KINDS[vendor](folder, "idle")
    port, sandbox = stage.find_port(), stage.find_port()
    local = {"PORTAL_LOCAL": "1", "PORT": str(port), "PORTAL_SANDBOX_PORT": str(sandbox), "DATABASE_URL": store.url}
    environment = {**os.environ, "AGENTSTATION_API_KEY": "", "SECRET_KEY": ""} | local
    command = [sys.executable, "manage.py", "run_local"]
    run = stage.Actor(name="make run", command=command, environment=environment, log=folder / "run.log", port=port)
    try:
        run.bring_up()
        time.sleep(_SETTLED_AFTER)
        memory, used = _read_tree(run.pid, _read_memory), _read_tree(run.pid, polls.read_time)
        time.sleep(_IDLE_FOR)
        shares = {
            part: 100 * (now - used[part]) / _IDLE_FOR for part, now in _read_tree(run.pid, polls.read_time).items()
        }
    finally:
        run.end()
        store.drop()
    parts = {f"its {part}, MB": value for part, value in memory.items()}
    return {
        "make run, MB": sum(memory.values()),
        "make run, % of a core": sum(shares.values()),
        "its worker, % of a core": shares["worker"],
    } | parts


def _read_tree(pid: int, read: Callable[[int], float]) -> dict[str, float]:
    """What is read of each process below, and of this one, summed up by the part that it is of."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    name = next((part for word, part in _PARTS.items() if word in words), "launcher")
    found = {name: read(pid)}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        for part, value in _read_tree(int(child), read).items():
            found[part] = found.get(part, 0.0) + value
    return found


def _read_memory(pid: int) -> float:
    """Its share of memory, in MB: what several share is divided between them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def measure_page(vendor: str) -> dict[str, Figures]:
    """A page of fifty rows of the history, and a plain Django's page with the same rows and columns."""
    database = databases.find_database(vendor=vendor, requests=_REQUESTS)
    databases.prepare(database)
    caller = Caller(database)
    try:
        times = {"portal": Times(), "B": Times()}
        for number in range(-3, _CALLS):
            for name, path in (("portal", "/requests/"), ("B", "/plain/requests/")):
                cost = caller.get(path, "auditor")
                if number >= 0:
                    times[name].add(cost)
    finally:
        caller.close()
    return {name: {"by the clock, ms": 1000 * one.p50, "work, ms": 1000 * one.work} for name, one in times.items()}
