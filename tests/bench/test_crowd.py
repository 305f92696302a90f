"""The bench of the crowd: a server that stands still cannot hide it, and goals are judged by what was measured."""

import asyncio

import pytest

from tests import factories
from tests.bench.crowd import page, people

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
WAITING = 5


async def _look_at_a_frozen_server() -> list[float]:
    """It answers nobody before so many wait."""
    everybody, stop = asyncio.Barrier(WAITING), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if not stop.is_set():
            await everybody.wait()
        stop.set()
        writer.write(RESPONSE)
        await writer.drain()
        writer.close()

    async with asyncio.timeout(30), await asyncio.start_server(serve, "127.0.0.1") as server:
        person = people.Person(port=server.sockets[0].getsockname()[1], session="")
        return await people.look_around(person, ["/requests/"], stop)


def test_a_page_is_asked_for_when_it_is_due_though_the_ones_before_wait():
    looks = asyncio.run(_look_at_a_frozen_server())

    assert len(looks) >= WAITING
    assert looks[0] - looks[WAITING - 1] > (WAITING - 2) * people.EVERY  # all were answered at one moment


@pytest.mark.django_db
def test_the_page_of_a_request_is_polled_as_it_says(sign_in, alice):
    number = factories.submit(alice).pk
    polled = page.Page()
    polled.read(sign_in(alice).get(f"/requests/{number}/").content.decode())
    assert polled.poll.startswith(f"/requests/{number}/live/?seen=")
    polled.quiet = 49
    assert polled.wait() == 0.3
    polled.quiet = 50
    assert polled.wait() == page.PAUSES[0]
