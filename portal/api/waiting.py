"""One look at the database for all calls that wait, at least every 50 ms while any does. On PostgreSQL workers announce
what became of requests, which then needs no look."""

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection

from portal import models
from portal.db import describe_connection, describe_failure, release_connection
from portal.services.runtime import workers

logger = logging.getLogger(__name__)

_SOONEST, _LATEST = 0.01, 0.05  # seconds between two looks; as long as ten of them take
_PAUSE = 1.0  # seconds before a lost connection is made anew


class Goal(NamedTuple):
    """That it is known what became of a request, or that a workstation has ended."""

    kind: type[models.Request | models.Workstation]
    number: int


class Waiter:
    def __init__(self) -> None:
        self.waiting: dict[asyncio.Future[None], Goal] = {}
        self._looking: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self.has_stopped = False
        self.thread = ThreadPoolExecutor(max_workers=1)  # what the calls do must not hold it up

    async def wait(self, goal: Goal) -> None:
        """Until the goal is reached, or nobody is to wait any more."""
        if self.has_stopped:
            return
        future = asyncio.get_running_loop().create_future()
        self.waiting[future] = goal
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        if self._listening is None and workers.can_notify():
            self._listening = asyncio.create_task(self._listen())
        try:
            await future
        finally:
            del self.waiting[future]

    def stop(self) -> None:
        self.has_stopped = True
        self._wake(self.waiting.values())
        if self._listening:
            self._listening.cancel()

    def _wake(self, reached: Collection[Goal]) -> None:
        for future, goal in self.waiting.items():
            if goal in reached and not future.done():
                future.set_result(None)

    async def _look(self) -> None:
        loop, took = asyncio.get_running_loop(), 0.0
        while self.waiting:
            pause = _LATEST if self._listening else max(_SOONEST, min(10 * took, _LATEST))
            await asyncio.sleep(pause)
            begun = loop.time()
            self._wake(await loop.run_in_executor(self.thread, _find_reached, set(self.waiting.values())))
            took = loop.time() - begun

    async def _listen(self) -> None:
        """From the first that waits on; while there is no connection, the looks find everything."""
        while True:
            try:
                address = describe_connection(url=settings.PORTAL_LISTEN_URL)
                async with await psycopg.AsyncConnection.connect(address, autocommit=True) as opened:
                    await opened.execute(f"LISTEN {workers.OUTCOMES}")
                    async for news in opened.notifies():
                        self._wake({Goal(models.Request, int(number)) for number in news.payload.split()})
            except psycopg.Error:
                logger.warning("Workers' announcements cannot be heard; outcomes are looked for every 50 ms.")
            await asyncio.sleep(_PAUSE)


def _find_reached(goals: Collection[Goal]) -> set[Goal]:
    requests = [goal.number for goal in goals if goal.kind is models.Request]
    workstations = [goal.number for goal in goals if goal.kind is models.Workstation]
    settled = models.Request.objects.filter(pk__in=requests).exclude(status__in=models.Request.AWAITED)
    ended = models.Workstation.objects.filter(pk__in=workstations, ended_at__isnull=False)
    try:
        return {Goal(rows.model, number) for rows in (settled, ended) for number in rows.values_list("pk", flat=True)}
    except DatabaseError as error:
        logger.warning("%s What programs wait for is looked for in a moment.", describe_failure(error))
        connection.close()
        return set()
    finally:
        release_connection()
