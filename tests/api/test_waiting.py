"""Many programs that wait, and what ends their wait from outside."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from portal import models
from portal.api import application, waiting
from portal.db.connection import execute
from tests import factories
from tests.api.serving import PATIENCE, read_error
from tests.worker.running import await_row, await_that, run_worker, unusable_table

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 5 * application.THREADS
_LISTENING = "FROM pg_stat_activity WHERE query = 'LISTEN portal_outcomes' AND datname = current_database()"


def test_many_that_wait_hold_up_nobody(program, server):
    opened = [program.leave() for _ in range(MANY)]
    server.await_waiting(MANY)

    assert program.call("GET", "/workstations").json()["data"] == []
    assert program.call("GET", "/workstations/types").status_code == 200
    assert len(server.application.waiter.waiting) == MANY

    for one in opened:
        one.close()
    await_that(lambda: models.Request.objects.filter(status="CANCELLED").count() == MANY)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite notifies nobody")
def test_an_outcome_is_announced_to_who_waits(program, server, sandbox, monkeypatch):
    with run_worker():
        assert program.post().status_code == 200
        await_that(_is_heard)
        monkeypatch.setattr(waiting, "_LATEST", 10 * PATIENCE)  # nobody looks by the clock
        sandbox.hold()
        answer = program.begin_post()
        await_that(lambda: server.application.waiter.waiting)
        sandbox.release()
        assert answer.result(PATIENCE).status_code == 200


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite notifies nobody")
def test_without_the_announcements_outcomes_are_looked_for(program, server, caplog):
    answer = program.begin_post()
    await_that(_is_heard)
    execute(f"SELECT pg_terminate_backend(pid) {_LISTENING}")
    await_that(lambda: "announcements cannot be heard" in caplog.text)
    factories.finish(factories.claim())
    assert answer.result(PATIENCE).status_code == 200
    await_that(_is_heard)


def _is_heard() -> bool:
    return bool(execute(f"SELECT 1 {_LISTENING}"))


def test_at_sigterm_nobody_waits_any_longer(program, server):
    keyed = program.begin_post("a-key")
    other = program.begin_post()
    server.stop()
    assert read_error(keyed.result(PATIENCE)) == read_error(other.result(PATIENCE)) == (503, "Service Unavailable")
    assert sorted(models.Request.objects.values_list("status", flat=True)) == ["CANCELLED", "QUEUED"]


def test_who_is_deactivated_meanwhile_is_told_nothing(program, alice):
    answer = program.begin_post()
    call = factories.claim()
    models.User.objects.filter(pk=alice.pk).update(is_active=False)
    factories.finish(call)
    assert read_error(answer.result(PATIENCE)) == (401, "Unauthorized")


def test_a_client_that_sends_half_of_something_holds_up_nobody(program, server, monkeypatch):
    heads = [b"POST /v1/work", b"POST /v1/workstations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"]
    halves = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(20)]
    for number, half in enumerate(halves):
        half.sendall(heads[number % 2])
    assert program.call("GET", "/workstations").status_code == 200
    for half in halves:
        half.close()


def test_a_body_has_to_arrive(program, server, monkeypatch):
    monkeypatch.setattr(application, "_ARRIVE_WITHIN", 0.05)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as half:
        half.sendall(b"POST /v1/workstations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert half.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("impatient")
def test_nothing_is_said_while_it_cannot_be_stored(program, server, caplog):
    """A 503 would say that nothing is made, though the request is in the queue still."""
    answer = program.begin_post()
    with unusable_table("portal_request"):
        server.stop()
        await_that(lambda: caplog.text.count("A call to /v1 waits") > 3)
        assert not answer.done()
    assert read_error(answer.result(PATIENCE)) == (503, "Service Unavailable")
    assert models.Request.objects.get().status == "CANCELLED"


@pytest.mark.usefixtures("impatient")
def test_a_post_is_tried_again_until_it_is_stored(program, server, caplog):
    with unusable_table("portal_request"):
        answer = program._threads.submit(program.post)
        await_that(lambda: caplog.text.count("A call to /v1 waits") > 3)
        assert not answer.done()
    server.await_waiting(1)
    factories.send_once()
    assert answer.result(PATIENCE).status_code == 200
    assert models.Request.objects.count() == 1


def test_a_look_that_fails_is_made_again(program, monkeypatch):
    monkeypatch.setattr(application, "_PAUSE", 0.01)
    answer = program.begin_post()
    call = factories.claim()
    with unusable_table("portal_request"):
        assert waiting._find_reached([waiting.Goal(models.Request, 1)]) == set()
    factories.finish(call)
    assert answer.result(PATIENCE).status_code == 200


def test_a_release_that_is_not_confirmed_goes_on(program, server, alice, hasty):
    uid = factories.create_workstation(alice).uid
    answer = program.call("DELETE", f"/workstations/{uid}")
    assert read_error(answer) == (503, "Service Unavailable")
    assert answer.headers["Retry-After"]
    again = program.begin("DELETE", f"/workstations/{uid}/release")
    assert again.result(PATIENCE).status_code == 503
    factories.send_releases()
    await_row(models.Workstation.objects.filter(ended_at__isnull=False))


def test_a_person_has_a_hundred_calls_at_most(program, make_program, server, bob, alice):
    server.application.present[alice.pk] = 99
    program.begin_post()
    assert read_error(program.call("GET", "/workstations")) == (429, "Too Many Requests")
    assert make_program(bob).call("GET", "/workstations").status_code == 200
    del server.application.present[alice.pk]


def test_one_person_s_calls_leave_threads_to_others():
    async def run() -> list[str]:
        serving, go_on = application.Application(), threading.Event()
        own = [asyncio.create_task(serving._run(go_on.wait, who=1)) for _ in range(application.THREADS)]
        told = [await serving._run(lambda: "another's", who=2)]
        go_on.set()
        await asyncio.gather(*own)
        return told

    assert asyncio.run(run()) == ["another's"]


def test_wrong_tokens_of_one_network_leave_threads_to_others():
    def make_call(address: str) -> Any:
        call: Any = RequestFactory().get("/", REMOTE_ADDR=address)
        call.secret = "wsp_unknown"
        return call

    async def run() -> list[str]:
        serving, go_on = application.Application(), threading.Event()
        guessing, *others = (serving._find_owner(make_call(f"203.0.113.{number}")) for number in range(9))
        own = [asyncio.create_task(serving._run(go_on.wait, who=guessing)) for _ in range(application.THREADS)]
        told = [await serving._run(lambda: "another's", who=next(who for who in others if who != guessing))]
        go_on.set()
        await asyncio.gather(*own)
        return told

    assert asyncio.run(run()) == ["another's"]


def test_a_probe_and_head_are_answered(program):
    assert program.call("GET", "/healthz", root="").json() == {"status": "ok"}
    for path, root in (("/workstations", "/v1"), ("/requests", "/api")):
        answer = program.call("HEAD", path, root=root)
        assert (answer.status_code, answer.content) == (200, b"")
