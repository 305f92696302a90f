"""Who is next: each person's calls have threads in turn with those of others, and never all of them."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """`most` of the `size` threads do something for one person at a time."""

    def __init__(self, *, size: int, most: int) -> None:
        self._free, self._most = size, most
        self._running = Counter[Hashable]()
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}  # who had a turn last comes last

    @asynccontextmanager
    async def take(self, who: Hashable) -> AsyncIterator[None]:
        future = asyncio.get_running_loop().create_future()
        self._queues.setdefault(who, deque()).append(future)
        self._go_on()
        await future
        try:
            yield
        finally:
            self._free += 1
            self._running -= Counter([who])
            self._go_on()

    def _go_on(self) -> None:
        for who in list(self._queues):
            if self._free and self._running[who] < self._most:
                queue = self._queues.pop(who)
                queue.popleft().set_result(None)
                self._free -= 1
                self._running[who] += 1
                if queue:
                    self._queues[who] = queue
