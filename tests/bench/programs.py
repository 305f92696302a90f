"""`python -m tests.bench.programs`: programs at /v1, one at a time beside the provider itself, and many that wait.

The portal runs as docs/production.md starts it; the provider is the sandbox. Programs wait while it answers no POST.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from statistics import median
from types import MappingProxyType

from portal.sandbox import names
from tests import ports
from tests.bench import figures
from tests.bench.crowd import people
from tests.bench.crowd.loads import QUIET
from tests.bench.crowd.provider import Provider
from tests.bench.crowd.subjects import Portal

_PEOPLE, _POSTS, _BODY = 16, 30, '{"type": "python"}'
_LATENCY, _SECONDS = 0.2, 10.0  # of the provider, and for which pages are looked at
_WAITING = "SELECT count(*) FROM portal_request WHERE ended_at IS NULL"
MOST_MORE = {"sqlite": 100.0, "postgresql": 40.0}  # ms
MOST_RATIO, MOST_MEMORY = 1.5, 64.0  # kB


class Programs(Portal):
    settings = MappingProxyType({"PORTAL_API_WAIT": "600", "AGENTSTATION_TOTAL_TIMEOUT": "600"})  # longer than measured

    def start(self) -> None:
        super().start()
        self.api_port = ports.find_port()
        self.environment["PORTAL_API_PORT"] = str(self.api_port)
        self.api = self.cast("api", "manage.py", "api", port=self.api_port)
        # A person has a hundred calls at most.
        some = [f"person-{number}" for number in range(1, 8)]
        self.tokens = cycle([self.run("create_token", name, "--scopes", "request").strip() for name in some])

    async def post(self, *, directly: bool = False) -> None:
        port, key = (self.provider.port, names.DEFAULT_API_KEY) if directly else (self.api_port, next(self.tokens))
        head = f"Host: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(_BODY)}\r\nConnection: close"
        answer = await people.ask(port, f"POST /v1/workstations HTTP/1.1\r\n{head}\r\n\r\n{_BODY}".encode())
        if answer.status != 200:
            raise people.NotAnswered(f"a program: {answer.status} {answer.text}")

    def read_memory(self) -> float:
        return 1024 * sum(map(figures.read_memory, figures.list_family(self.api.pid)))


async def time_posts(portal: Programs) -> float:
    """How many ms longer by the portal, each after some quiet."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(1 + _POSTS):
        for directly, times in took.items():
            await asyncio.sleep(QUIET)
            begun = time.monotonic()
            await portal.post(directly=directly)
            times.append(time.monotonic() - begun)
    return 1000 * (median(took[False][1:]) - median(took[True][1:]))  # the first ones do all for the first time


async def look_beside(portal: Programs, count: int) -> tuple[float, float]:
    """How many times as long pages take while so many wait, and kB for each of them."""
    await asyncio.gather(*(portal.post() for _ in range(_PEOPLE)))
    alone, before = await _look(portal), portal.read_memory()
    portal.provider.hold()
    waiting = [asyncio.create_task(portal.post()) for _ in range(count)]
    while portal.read(_WAITING) != [(count,)]:
        await asyncio.sleep(QUIET)
    beside = await _look(portal)
    each = (portal.read_memory() - before) / count
    assert not any(task.done() for task in waiting), "a program did not wait"
    portal.provider.reset()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return beside / alone, each


async def _look(portal: Programs) -> float:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(_SECONDS, stop.set)
    return figures.find_p95(await people.look_around(portal.looker, portal.paths, stop))


def measure(vendor: str, options: argparse.Namespace, folder: Path) -> bool:
    """Whether the goals are met, by the medians of all rounds."""
    provider, rows = Provider(folder), list[tuple[float, float, float]]()
    portal = Programs(folder=folder, vendor=vendor, provider=provider, count=_PEOPLE)
    try:
        portal.prepare()
        for _ in range(options.rounds):
            with portal.started(latency=_LATENCY):
                more = asyncio.run(time_posts(portal))
            with portal.started(latency=0):
                rows.append((more, *asyncio.run(look_beside(portal, options.waiting))))
            figures.show(figures.write_row([vendor, *(f"{value:.2f}" for value in rows[-1])]))
    finally:
        provider.stop()
        portal.store.drop()
    more, ratio, each = (median(seen) for seen in zip(*rows, strict=True))
    return more <= MOST_MORE[vendor] and ratio <= MOST_RATIO and each <= MOST_MEMORY


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.programs", description=__doc__)
    parser.add_argument("--waiting", type=int, default=500, help="programs that wait at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vendors", nargs="*", choices=MOST_MORE, default=list(MOST_MORE))
    options, is_met = parser.parse_args(), True
    figures.show(*figures.write_head(["database", "a POST, ms more", "pages, of alone", "a waiting program, kB"]))
    for vendor in options.vendors:
        with tempfile.TemporaryDirectory(prefix="portal-programs-") as name:
            is_met &= measure(vendor, options, Path(name))
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
