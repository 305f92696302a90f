"""The provider that lies with a clock that only moves when told, and somebody who directs it."""

import socket
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.provider import control, server
from tests.sandbox.caller import Caller, Clock


class Director(Caller):
    def control(self, method: str, what: str, **options) -> requests.Response:
        options.setdefault("headers", control.HEADERS)
        address = self.base_url.removesuffix("/v1")
        return self.session.request(method, f"{address}/control/{what}", timeout=30, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[server.Sandbox]:
    with server.Sandbox(clock=clock, lifetime=1000, file_every=10) as running:
        yield running


@pytest.fixture
def alice(sandbox: server.Sandbox) -> Iterator[Director]:
    with Director(sandbox.base_url) as caller:
        yield caller


@pytest.fixture
def post_raw(alice: Director) -> Callable[..., socket.socket]:
    return alice.post_raw
