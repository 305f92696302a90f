"""The bench of the crowd: a server that stands still cannot hide it, and goals are judged by what was measured."""

import asyncio
from dataclasses import replace

import pytest

from tests import factories
from tests.bench import polls
from tests.bench.crowd import people
from tests.bench.crowd.plan import Goal
from tests.bench.crowd.results import Results

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
WAITING = 5


async def _look_at_a_frozen_server() -> list[float]:
    """It answers nobody before so many wait."""
    is_moving, stop, waiting = asyncio.Event(), asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        await reader.readuntil(b"\r\n\r\n")
        waiting += 1
        if waiting == WAITING:
            is_moving.set()
            stop.set()
        await is_moving.wait()
        writer.write(RESPONSE)
        await writer.drain()
        writer.close()

    async with asyncio.timeout(30), await asyncio.start_server(serve, "127.0.0.1") as server:
        person = people.Person(port=server.sockets[0].getsockname()[1], session="")
        try:
            return await people.look_around(person, ["/requests/"], stop)
        finally:
            is_moving.set()


def test_a_page_is_asked_for_when_it_is_due_though_the_ones_before_wait():
    looks = asyncio.run(_look_at_a_frozen_server())

    assert len(looks) >= WAITING
    assert looks[0] - looks[WAITING - 1] > (WAITING - 2) * people.EVERY  # all were answered at one moment


def test_a_goal_is_judged_beside_a_peer_by_medians():
    results = Results(vendor="sqlite")
    for value in (10.0, 12.0, 90.0):
        results.add("at once", "portal", {"submit, ms": value})
        results.add("at once, 0 s", "B", {"submit, ms": value / 3})
    goal = Goal(load="at once", figure="submit, ms", beside="B", of="at once, 0 s")

    assert results.judge(replace(goal, most=3)) == ("3.00 x B at 0 s, at most 3", True)
    assert results.judge(replace(goal, most=2.9)) == ("3.00 x B at 0 s, at most 2.9", False)
    assert results.judge(replace(goal, least=3.1)) == ("3.00 x B at 0 s, at least 3.1", False)


@pytest.mark.parametrize(("vendor", "beside"), [("sqlite", "B+"), ("postgresql", "B+ on SQLite")])
def test_pages_of_others_are_judged_beside_the_quickest_site_on_either_database(vendor, beside):
    results = Results(vendor=vendor)
    for name, value in {"portal": 150, "B+": 150, "B+ on SQLite": 150, beside: 100}.items():
        results.add("all at once, 5 s, cap 160", name, {"pages p95, ms": value})

    [(_, words, is_met)] = results.list_judged()
    assert (words, is_met) == (f"1.50 x {beside}, at most 1.5", True)


def test_a_table_has_a_column_for_each_that_was_measured():
    results = Results(vendor="sqlite")
    results.add("idle", "portal", {"make run, MB": 160})

    assert results.write()[0] == "| load | figure | portal | goal |"


def test_what_was_not_measured_is_no_goal_met():
    results = Results(vendor="sqlite")
    results.add("at once", "portal", {"submit, ms": 1})

    assert results.judge(Goal(load="at once", figure="submit, ms", most=2, beside="B")) is None
    assert results.judge(Goal(load="at once", figure="submit, ms", most=2, only_on="postgresql")) is None
    assert results.judge(Goal(load="at once", figure="pages, ms", most=2)) is None


@pytest.mark.django_db
def test_the_page_of_a_request_is_polled_as_it_says(sign_in, alice):
    number = factories.submit(alice).pk
    page = polls.Page(session="")
    page.read(sign_in(alice).get(f"/requests/{number}/").content.decode())
    assert page.poll.startswith(f"/requests/{number}/live/?seen=")
    page.quiet = 49
    assert page.wait() == 0.3
    page.quiet = 50
    assert page.wait() == polls.PAUSES[0]
