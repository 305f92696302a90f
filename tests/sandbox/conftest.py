"""The product's sandbox with a clock that only moves when told, and somebody with its key."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.sandbox import provider, server
from portal.sandbox.calls import Call, Exchange
from tests.sandbox.caller import Caller, Clock


class Watched(provider.Provider):
    """Tells when it has done what a call asks for, which may be long before it answers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.begun = threading.Semaphore(0)

    def begin(self, call: Call) -> Exchange:
        exchange = super().begin(call)
        self.begun.release()
        return exchange


class Sandbox(server.Sandbox):
    """`wait` returns once so many more calls were begun."""

    provider_class = Watched
    provider: Watched

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.provider.begun.acquire(timeout=30)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, lifetime=1000, file_every=10) as running:
        yield running


@pytest.fixture
def alice(sandbox: Sandbox) -> Iterator[Caller]:
    with Caller(sandbox.base_url) as caller:
        yield caller


@pytest.fixture
def post_raw(alice: Caller) -> Callable[..., socket.socket]:
    return alice.post_raw
