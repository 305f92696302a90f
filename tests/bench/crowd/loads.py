"""What is done to a site, and what was seen of it: figures by their names."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median

from tests import ports
from tests.bench import figures
from tests.bench.crowd import people
from tests.bench.crowd.stores import KINDS
from tests.bench.crowd.subjects import CAP, Portal, Site, read_time
from tests.chaos import stage

type Figures = dict[str, float]

WITHIN = 1.0  # seconds for an ordinary page
IN_LOOP = 16  # people
QUIET = 0.5  # seconds before each request that is one at a time
DESKTOPS, ALIVE_EVERY = 100, 20.0  # seconds, as the portal tells their pages
CALLS, CALLS_LATENCY = 64, 5.0
SENDERS = 15
IDLE_AFTER, IDLE_FOR = 15.0, 30.0  # seconds from the start, and for so long
_FIRST_CLAIM = "SELECT min(claimed_at) FROM portal_attempt WHERE request_id IN ({})"


# --- One request at a time --------------------------------------------------------------------------------------------


def load_lightly(site: Site, *, latency: float, count: int) -> Figures:
    """So many requests, each looked at until it has ended, and sent after some quiet; beyond the provider's own time.

    The same quiet for all: processes that have slept are slower, and B's would not sleep between two requests.
    """
    with site.started(latency=latency):
        rows, eyes = asyncio.run(_submit_calmly(site, latency=latency, count=count))
    return {"to the row, ms": 1000 * median(rows), "shown p95, ms": 1000 * figures.find_p95(eyes)}


async def _submit_calmly(site: Site, *, latency: float, count: int) -> tuple[list[float], list[float]]:
    """Seconds until the row said how it ended, and until the page did."""
    rows, eyes, done = [], [], site.count_final()
    for number in range(count):
        person = site.people[number % len(site.people)]
        await person.load_form()
        await asyncio.sleep(QUIET)
        begun = time.time()
        ended = asyncio.create_task(asyncio.to_thread(site.watch_final, done + number + 1))
        eyes.append(await person.watch(await person.submit()) - begun - latency)
        rows.append(await ended - begun - latency)
    return rows, eyes


# --- Without a pause --------------------------------------------------------------------------------------------------


def load_without_pause(site: Site, *, count: int) -> Figures:
    """Some people open the form and send it, so many between them: until the last has ended."""
    with site.started(latency=0):
        before, begun = site.read_work(), time.time()
        ends = asyncio.run(site.await_ends(asyncio.run(_take_turns(site, count, people.Person.load_and_insist))))
        used = sum(seconds - before.get(pid, 0) for pid, seconds in site.read_work().items())
    return {"a second": count / (max(ends.values()) - begun), "processor each, ms": 1000 * used / count}


def load_and_watch(site: Site, *, count: int) -> Figures:
    """The same, but each looks at the request until its page shows the end, and only then sends the next."""

    async def insist_and_watch(person: people.Person) -> tuple[int, float]:
        number = await person.load_and_insist()
        return number, await person.watch(number)

    with site.started(latency=0):
        shown = asyncio.run(_take_turns(site, count, insist_and_watch))
        ends = asyncio.run(site.await_ends(number for number, _ in shown))
    return {"shown p95, ms": 1000 * figures.find_p95([at - ends[number] for number, at in shown])}


async def _take_turns[T](site: Site, count: int, act: Callable[[people.Person], Awaitable[T]]) -> list[T]:
    """So often between some people, each again as soon as it is done."""
    tickets, done = iter(range(count)), list[T]()

    async def act_again(person: people.Person) -> None:
        for _ in tickets:
            done.append(await act(person))

    await asyncio.gather(*(act_again(site.people[place % len(site.people)]) for place in range(IN_LOOP)))
    return done


# --- Everybody at once ------------------------------------------------------------------------------------------------


def load_at_once(site: Site, *, latency: float) -> Figures:
    """Everybody has the form open and sends it at the same moment; somebody else looks around until all have ended."""
    with site.started(latency=latency):
        took, looks, seconds = asyncio.run(_gather_crowd(site))
    seen = {
        "submit p95, ms": 1000 * figures.find_p95(took),
        "pages within a second, %": 100 * sum(look <= WITHIN for look in looks) / len(looks),
        "all done, s": seconds,
    }
    if latency:
        seen["all done, of the least"] = seconds / (max(1, site.count / CAP) * latency)
    return seen


async def _gather_crowd(site: Site) -> tuple[list[float], list[float], float]:
    """Seconds of each form, of each page of somebody else, and of all until the last end."""
    await asyncio.gather(*(person.load_form() for person in site.people))
    stop, begun, took = asyncio.Event(), time.time(), list[float]()
    watching: list[asyncio.Task[float]] = []
    looks = asyncio.create_task(people.look_around(site.looker, site.paths, stop))

    async def take_part(person: people.Person) -> int:
        number = await person.insist()
        took.append(time.time() - begun)
        watching.append(asyncio.create_task(person.watch(number)))
        return number

    numbers = await asyncio.gather(*map(take_part, site.people))
    ends = await site.await_ends(numbers)
    stop.set()
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return took, await looks, max(ends.values()) - begun


# --- The portal alone -------------------------------------------------------------------------------------------------


def load_workers(portal: Portal, *, count: int) -> Figures:
    """How many requests a second one worker sends, and two: of a queue that is there before they start."""
    one, two = (_measure_workers(portal, number, count=count) for number in (1, 2))
    return {"one worker, a second": one, "two workers, a second": two, "two of one": two / one}


def _measure_workers(portal: Portal, number: int, *, count: int) -> float:
    with portal.started(latency=1, cap=CALLS):
        portal.stop_workers()
        numbers = asyncio.run(_take_turns(portal, count, people.Person.insist))
        portal.start_workers(number, f"--threads={SENDERS}")
        ends = asyncio.run(portal.await_ends(numbers))
        [(first,)] = portal.read(_FIRST_CLAIM.format(", ".join(map(str, numbers))))
    return count / (max(ends.values()) - read_time(first))


def load_calls(portal: Portal) -> Figures:
    """What a call in flight costs the worker."""

    def read_memory() -> float:
        return sum(figures.read_memory(pid) for worker in portal.workers for pid in figures.list_family(worker.pid))

    def is_full() -> bool:
        return portal.read("SELECT count(*) FROM portal_attempt WHERE ended_at IS NULL") == [(CALLS,)]

    with portal.started(latency=CALLS_LATENCY, cap=CALLS):
        before = read_memory()
        asyncio.run(_take_turns(portal, CALLS, people.Person.insist))
        if not stage.wait_until(is_full, seconds=CALLS_LATENCY):
            raise stage.CannotStage(f"{CALLS} calls were never in flight together")
        return {"a call in flight, MB": (read_memory() - before) / CALLS}


def load_desktops(portal: Portal, *, seconds: float) -> Figures:
    """Somebody's home page, while nothing is open, and while pages of desktops say that they are open."""
    with portal.started(latency=0):
        asyncio.run(portal.await_ends(asyncio.run(_take_turns(portal, DESKTOPS, people.Person.insist))))
        desktops = portal.open_desktops(DESKTOPS)
        alone = asyncio.run(_look_at_home(portal, [], seconds))
        beside = asyncio.run(_look_at_home(portal, desktops, seconds))
    return {"home p95, ms": 1000 * alone, "home p95 beside them, ms": 1000 * beside, "of it alone": beside / alone}


async def _look_at_home(portal: Portal, desktops: list[tuple[people.Person, str]], seconds: float) -> float:
    async def stay_alive(place: int, person: people.Person, path: str) -> None:
        await asyncio.sleep(ALIVE_EVERY * place / len(desktops))
        while True:
            answer = await person.post(path, {}, "HX-Request: true\r\n")
            assert b'"ended": null' in answer.body, answer
            await asyncio.sleep(ALIVE_EVERY)

    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    open_pages = [asyncio.create_task(stay_alive(place, *desktop)) for place, desktop in enumerate(desktops)]
    looks = await people.look_around(portal.looker, ["/"], stop)
    for page in open_pages:
        page.cancel()
    assert not any(page.done() and page.exception() for page in open_pages), "a desktop's page was not answered"
    return figures.find_p95(looks)


# --- Nobody asks for anything ---------------------------------------------------------------------------------------


def load_nothing(site: Site) -> dict[str, float]:
    """Of a portal of its own, beside which nothing else runs."""
    store, folder = KINDS[site.vendor](site.folder, "idle"), site.folder
    port = ports.find_port(3)
    local = {"PORTAL_LOCAL": "1", "PORT": str(port), "DATABASE_URL": store.url}
    environment = {**os.environ, "AGENTSTATION_API_KEY": "", "SECRET_KEY": ""} | local
    command = [sys.executable, "manage.py", "run_local"]
    run = stage.Actor(name="make run", command=command, environment=environment, log=folder / "run.log", port=port)
    try:
        run.bring_up()
        time.sleep(IDLE_AFTER)
        family = figures.list_family(run.pid)
        memory, used = sum(map(figures.read_memory, family)), sum(map(figures.read_seconds, family))
        time.sleep(IDLE_FOR)
        used = sum(map(figures.read_seconds, family)) - used
    finally:
        run.end()
        store.drop()
    return {"make run, MB": memory, "make run, % of a core": 100 * used / IDLE_FOR}
