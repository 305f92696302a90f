"""What needs no crowd: an idle portal, one page of the history beside a plain one, and what the portal rests on."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import databases, polls
from tests.bench.calls import Caller
from tests.bench.crowd import loads, people, provider, subjects
from tests.bench.crowd.stores import KINDS
from tests.bench.figures import Times
from tests.chaos import stage

_SETTLED_AFTER = 15.0  # seconds from the start
_IDLE_FOR = 30.0  # seconds
_REQUESTS = 1000  # in the database whose history is read
_CALLS = 40
_QUESTIONS = 40
_LATENCY = 1.0  # seconds that the provider takes when all ask at once
_PARTS = {"work": "worker", "gunicorn": "web", "run_sandbox": "sandbox"}


def measure_idle(*, folder: Path, vendor: str) -> loads.Figures:
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


def measure_page(vendor: str) -> dict[str, loads.Figures]:
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


def measure_provider(asked: provider.Provider, count: int) -> loads.Figures:
    """What it bears by itself: as many at a time as in the loop, and everybody at once while it takes a second."""
    asked.reset()
    return asyncio.run(_ask_provider(asked, count))


async def _ask_provider(asked: provider.Provider, count: int) -> loads.Figures:
    tickets, begun = iter(range(4 * count)), time.time()

    async def take_tickets() -> None:
        for _ in tickets:
            await _time_call(asked)

    await asyncio.gather(*(take_tickets() for _ in range(loads.IN_LOOP)))
    rate = 4 * count / (time.time() - begun)
    asked.set_latency(_LATENCY)
    took = await asyncio.gather(*(_time_call(asked) for _ in range(count)))
    return {"a second": rate, "all at once, 1 s: p95 beyond, ms": loads.find_p95([one - _LATENCY for one in took])}


async def _time_call(asked: provider.Provider) -> float:
    begun, body = time.time(), '{"type": "python"}'
    fields = f"Host: 127.0.0.1\r\nAuthorization: Bearer {asked.key}\r\nContent-Length: {len(body)}\r\n"
    message = f"POST /v1/workstations HTTP/1.1\r\n{fields}Connection: close\r\n\r\n{body}"
    answer = await people.ask(asked.port, message.encode())
    if answer.status != 200:
        raise people.NotAnswered(f"the provider: {answer.status}")
    return time.time() - begun


def measure_database(subject: subjects.Bare) -> loads.Figures:
    """What the least question to it costs on a connection that is in use, and on one that has been quiet."""
    with contextlib.closing(subject.store.open()) as opened:
        busy = [_time_question(opened, after=0) for _ in range(_QUESTIONS)]
        quiet = [_time_question(opened, after=loads.QUIET) for _ in range(_QUESTIONS)]
    return {
        "SELECT 1, ms": loads.find_half(busy),
        f"SELECT 1 after {loads.QUIET} s, ms": loads.find_half(quiet),
        f"SELECT 1 after {loads.QUIET} s, p95, ms": loads.find_p95(quiet),
    }


def _time_question(opened: Any, *, after: float) -> float:
    time.sleep(after)
    begun = time.perf_counter()
    opened.execute("SELECT 1").fetchall()
    return time.perf_counter() - begun
