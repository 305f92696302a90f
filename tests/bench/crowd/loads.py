"""What is done to a subject, and what was seen of it: figures by their names."""

import asyncio
import contextlib
import functools
import itertools
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from tests.bench.crowd import people, provider
from tests.bench.crowd.subjects import Bare, Portal, Site, Subject, read_time
from tests.bench.figures import Times

type Figures = dict[str, float]

WITHIN = 1.0  # seconds for an ordinary page
IN_LOOP = 16  # people
QUIET = 0.5  # seconds before each request that is one at a time
KILLED_LATENCY = 1.0  # seconds that the provider takes while something is killed
_AGAIN_AFTER = 1.0  # seconds until somebody whose form was not answered sends it again
_PICK_UP = """
SELECT request.queued_at, attempt.claimed_at FROM portal_attempt attempt
JOIN portal_request request ON request.id = attempt.request_id ORDER BY attempt.id
"""


@dataclass(kw_only=True)
class Member:
    """One of the crowd: sends the form, again where it was not answered, and looks at the request's page."""

    person: people.Person
    begun: float = 0.0
    took: float = 0.0
    number: int = 0
    refusals: int = 0

    async def submit(self) -> None:
        """Until it is taken."""
        self.begun = time.time()
        while not self.number:
            try:
                self.number = await self.person.submit()
            except people.NotAnswered:
                self.refusals += 1
                await asyncio.sleep(_AGAIN_AFTER)
        self.took = time.time() - self.begun

    async def look(self, path: str) -> None:
        """At a page, which may fail."""
        try:
            await self.person.get(path)
        except people.NotAnswered:
            self.refusals += 1

    async def take_part(self, has_submitted: asyncio.Event) -> None:
        """Submit, and look until it has ended."""
        await self.submit()
        has_submitted.set()
        with contextlib.suppress(people.NotAnswered):
            await self.person.watch(self.number)


# --- One request at a time --------------------------------------------------------------------------------------------


def load_one_by_one(subject: Bare | Site, *, count: int) -> Figures:
    """So many requests, each sent as soon as the row of the one before says how it ended; nobody looks at pages."""
    if isinstance(subject, Bare):
        return {"to the row, ms": find_half([end - begun for begun, end in _let_work(subject, count=count)])}
    with _started(subject, latency=0):
        rows = asyncio.run(_submit_one_by_one(subject, count=count))
        return {"to the row, ms": find_half(rows)} | _find_pick_up(subject, count=count)


async def _submit_one_by_one(site: Site, *, count: int) -> list[float]:
    """Seconds until the row said how it ended."""
    rows, done = [], site.count_final()
    for number in range(count):
        person, begun = site.people[number % len(site.people)], time.time()
        ended = asyncio.create_task(asyncio.to_thread(site.watch_final, done + number + 1))
        await person.submit()
        rows.append(await ended - begun)
    return rows


def load_lightly(subject: Site, *, latency: float, count: int) -> Figures:
    """So many requests, each looked at until it has ended, and sent after some quiet; beyond the provider's own time.

    The same quiet for all: processes that have slept are slower, and B's would not sleep between two requests.
    """
    with _started(subject, latency=latency):
        rows, eyes = asyncio.run(_submit_calmly(subject, latency=latency, count=count))
        return {
            "to the row, ms": find_half(rows),
            "shown, ms": find_half(eyes),
            "shown p95, ms": find_p95(eyes),
        } | _find_pick_up(subject, count=count)


async def _submit_calmly(site: Site, *, latency: float, count: int) -> tuple[list[float], list[float]]:
    """Seconds until the row said how it ended, and until the page did."""
    rows, eyes, done = [], [], site.count_final()
    for number in range(count):
        await asyncio.sleep(QUIET)
        person, begun = site.people[number % len(site.people)], time.time()
        ended = asyncio.create_task(asyncio.to_thread(site.watch_final, done + number + 1))
        eyes.append(await person.watch(await person.submit()) - begun - latency)
        rows.append(await ended - begun - latency)
    return rows, eyes


def _find_pick_up(site: Site, *, count: int) -> Figures:
    """Of the last requests, where the site has a queue."""
    if not isinstance(site, Portal):
        return {}
    waits = [read_time(claimed) - read_time(queued) for queued, claimed in site.read(_PICK_UP)[-count:]]
    return {"pick-up, ms": find_half(waits), "pick-up p95, ms": find_p95(waits)}


# --- Without a pause --------------------------------------------------------------------------------------------------


def load_without_pause(subject: Bare | Site, *, count: int, with_pages: bool) -> Figures:
    """Some people ask for so many between them: requests a second until the last has ended."""
    if isinstance(subject, Bare):
        told = _let_work(subject, count=count, threads=IN_LOOP)
        return {"a second": count / (max(end for _, end in told) - min(begun for begun, _ in told))}
    with _started(subject, latency=0):
        return asyncio.run(_submit_all(subject, count=count, with_pages=with_pages))


async def _submit_all(site: Site, *, count: int, with_pages: bool) -> Figures:
    members, begun = (
        [Member(person=site.people[number % IN_LOOP % len(site.people)]) for number in range(count)],
        time.time(),
    )

    async def take_turns(own: list[Member]) -> None:
        for member in own:
            if with_pages:
                await member.look("/requests/new/")
            await member.submit()
            if with_pages:
                await member.look(f"/requests/{member.number}/")

    await asyncio.gather(*(take_turns(members[number::IN_LOOP]) for number in range(IN_LOOP)))
    ends = await site.await_ends(member.number for member in members)
    return {
        "a second": count / (max(ends.values()) - begun),
        "not answered": sum(member.refusals for member in members),
    }


# --- Everybody at once ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of a crowd."""

    members: list[Member]
    ends: dict[int, float]
    looks: list[float]

    @property
    def seconds(self) -> float:
        """From the first form to the last end."""
        return max(self.ends.values()) - min(member.begun for member in self.members)


def load_at_once(subject: Bare | Site, *, latency: float, cap: int) -> Figures:
    """Everybody sends the form at the same moment; somebody else looks around until all have ended."""
    if isinstance(subject, Bare):
        told = _let_work(subject, count=subject.count, threads=min(cap, subject.count), latency=latency)
        begun, ends = min(begun for begun, _ in told), [end for _, end in told]
        return {"final, beyond, p95, ms": find_p95([end - begun - latency for end in ends])} | _tell_done(
            max(ends) - begun, subject, latency=latency, cap=cap
        )
    with _started(subject, latency=latency, cap=cap):
        seen = asyncio.run(_gather_crowd(subject))
    took = [member.took for member in seen.members]
    finals = [seen.ends.get(member.number, math.inf) - member.begun - latency for member in seen.members]
    return {
        "submit p50, ms": find_half(took),
        "submit p95, ms": find_p95(took),
        "submits not answered": sum(member.refusals for member in seen.members),
        "pages within a second, %": 100 * sum(look <= WITHIN for look in seen.looks) / len(seen.looks),
        "pages p95, ms": find_p95(seen.looks),
        "final, beyond, p95, ms": find_p95(finals),
    } | _tell_done(seen.seconds, subject, latency=latency, cap=cap)


def _tell_done(seconds: float, subject: Subject, *, latency: float, cap: int) -> Figures:
    figures = {"all done, s": seconds}
    if latency:
        figures["all done, of the least"] = seconds / (max(1, subject.count / cap) * latency)
    return figures


async def _gather_crowd(site: Site, *, meanwhile: Callable[[], Awaitable[None]] | None = None) -> Seen:
    stop, members = asyncio.Event(), [Member(person=person) for person in site.people]
    submitted = [asyncio.Event() for _ in members]
    looks = asyncio.create_task(people.look_around(site.looker, site.paths, stop))
    crowd = [asyncio.create_task(member.take_part(event)) for member, event in zip(members, submitted, strict=True)]
    if meanwhile:
        await meanwhile()
    for event in submitted:
        await event.wait()
    ends = await site.await_ends(member.number for member in members)
    stop.set()
    for watching in crowd:
        watching.cancel()
    return Seen(members=members, ends=ends, looks=await looks)


# --- When something goes wrong ----------------------------------------------------------------------------------------


def load_with_faults(subject: Bare | Site) -> Figures:
    """Everybody at once, while the provider refuses some."""
    if isinstance(subject, Bare):
        subject.renew()
        subject.provider.set_faults(*provider.FAULTS)
        subject.begin(count=subject.count, threads=IN_LOOP)
        return _share(subject, final=len(subject.end()), known=len(subject.list_known()))
    with _started(subject, latency=0):
        before = subject.list_known()
        subject.provider.set_faults(*provider.FAULTS)
        seen = asyncio.run(_gather_crowd(subject))
        known = subject.list_known() - before
    return _share(subject, final=len(seen.ends), known=len(known)) | {"last end, s": seen.seconds}


def _share(subject: Subject, *, final: int, known: int) -> Figures:
    return {"final, %": 100 * final / subject.count, "got a workstation, %": 100 * known / subject.count}


def load_and_kill(subject: Bare | Site) -> Figures:
    """Everybody at once, and half-way a process is killed and started again."""
    if isinstance(subject, Bare):
        subject.renew()
        subject.provider.set_latency(KILLED_LATENCY)
        subject.begin(count=subject.count, threads=IN_LOOP)
        asyncio.run(_kill_half_way(subject, before=0))
        subject.begin(count=subject.count, threads=IN_LOOP)
        subject.end()
        return _compare_books(subject, before=set(), lost=0)
    with _started(subject, latency=KILLED_LATENCY):
        before = subject.list_known()
        kill = functools.partial(_kill_half_way, subject, before=len(before))
        seen = asyncio.run(_gather_crowd(subject, meanwhile=kill))
        # Also what somebody has asked for once more: it may be bought, and nobody is told.
        lost = subject.read(f"SELECT count(*) FROM {subject.table} WHERE ended_at IS NULL")[0][0]
        return _compare_books(subject, before=before, lost=lost) | {"last end, s": seen.seconds}


async def _kill_half_way(subject: Bare | Site, *, before: int) -> None:
    while subject.provider.count_posts() < before + subject.count // 2:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(subject.kill)


def _compare_books(subject: Subject, *, before: set[str], lost: int) -> Figures:
    """Against the provider's own account."""
    made = subject.provider.list_made() - before
    return {
        "without an outcome": lost,
        "made, and known to nobody": len(made - subject.list_known()),
        "made beyond what was wanted": max(0, len(made) - subject.count),
    }


# --- Workers ----------------------------------------------------------------------------------------------------------


def load_workers(subject: Portal, *, latency: float, cap: int, count: int, threads: int | None = None) -> Figures:
    """How many requests a second one worker sends, and two: of a queue that is there before they start.

    Each has so many threads that send, or by default as many as the cap allows.
    """
    measure = functools.partial(_measure_workers, subject, latency=latency, cap=cap, count=count, threads=threads)
    one, two = measure(1), measure(2)
    return {"one worker, a second": one, "two workers, a second": two, "two of one": two / one}


def _measure_workers(
    subject: Portal, number: int, *, latency: float, cap: int, count: int, threads: int | None
) -> float:
    with _started(subject, latency=latency, cap=cap):
        subject.stop_workers()
        numbers = asyncio.run(_fill_queue(subject, count))
        subject.start_workers(number, threads=threads)
        ends = asyncio.run(subject.await_ends(numbers))
        first = min(read_time(claimed) for _, claimed in subject.read(_PICK_UP)[-count:])
    return count / (max(ends.values()) - first)


async def _fill_queue(site: Site, count: int) -> list[int]:
    numbers = []
    for batch in itertools.batched(itertools.islice(itertools.cycle(site.people), count), IN_LOOP):
        numbers += await asyncio.gather(*(person.submit() for person in batch))
    return numbers


# --- Helpers ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _started(site: Site, *, latency: float, cap: int = 16) -> Iterator[None]:
    try:
        site.start(cap=cap)
        site.provider.set_latency(latency)
        yield
    finally:
        site.provider.set_latency(0)
        site.stop()


def _let_work(subject: Bare, *, count: int, threads: int = 1, latency: float = 0) -> list[tuple[float, float]]:
    subject.renew()
    subject.provider.set_latency(latency)
    subject.begin(count=count, threads=threads)
    return subject.end()


def find_half(seconds: list[float]) -> float:
    """In milliseconds."""
    return 1000 * Times(wall=seconds).p50


def find_p95(seconds: list[float]) -> float:
    """In milliseconds."""
    return 1000 * Times(wall=seconds).p95
