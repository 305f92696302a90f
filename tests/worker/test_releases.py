"""The sender that is kept for releases, in a whole worker."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection

from portal import models
from portal.models.clock import Now
from portal.services.mirrors import releases
from portal.services.runtime import clients
from portal.worker import releases as sender
from tests import factories, pool
from tests.worker.running import await_row, await_that, run_worker, unusable_table

pytestmark = pytest.mark.django_db(transaction=True)

READ, LIST = "GET /workstations/{id}", "GET /workstations"


@pytest.fixture
def work():
    """Starts a worker with so many senders, which runs until the test ends."""
    with ExitStack() as stack:
        yield lambda senders: stack.enter_context(run_worker(senders=senders))


@contextmanager
def run_sender() -> Iterator[sender.ReleaseSender]:
    kept = sender.ReleaseSender(client=clients.make_client())
    kept.start()
    yield kept
    kept.stop()
    await_that(kept.has_ended)


def await_end(workstation: models.Workstation) -> None:
    await_row(models.Workstation.objects.filter(pk=workstation.pk, ended_at__isnull=False))


def test_a_release_goes_out_while_every_sender_waits_for_the_provider(sandbox, alice, bob, work, monkeypatch):
    monkeypatch.setattr(sender, "IDLE", 600.0)  # only a wish wakes it
    workstation = factories.create_workstation(alice)
    sandbox.hold()
    for _ in range(20):
        factories.submit(bob)
    work(16)
    sandbox.wait_for_posts(1 + 16, timeout=60)

    releases.request_release(actor=alice, workstation=workstation)
    await_end(workstation)

    assert models.Attempt.objects.filter(outcome="SENDING").count() == 16, "no attempt has ended meanwhile"
    sandbox.release()


def test_a_release_does_not_wait_behind_other_people_s_reads(sandbox, alice, bob, work):
    stations = [factories.create_workstation(person) for person in [bob] * 19 + [alice]]
    sandbox.script([{"on": LIST, "status": 404, "times": 99}, {"on": READ, "delay": 1, "times": 1000}])
    models.Workstation.objects.update(refresh_due_at=Now())
    work(2)
    await_that(lambda: sandbox.count_left()[READ] < 1000)

    releases.request_release(actor=alice, workstation=stations[-1])
    await_end(stations[-1])

    assert sandbox.count_left()[READ] > 1000 - 20, "most reads were still to be made"


def test_several_releases_are_under_way_at_once(sandbox, alice, work):
    workstations = [factories.create_workstation(alice) for _ in range(sender.AT_ONCE)]
    sandbox.script({"on": "DELETE", "delay": 0, "times": len(workstations)})
    sandbox.hold(releases=True)
    work(1)
    releases.request_releases(actor=alice, workstations=workstations)
    await_that(lambda: sandbox.count_left()["DELETE"] == 0)  # and none is answered before what follows
    sandbox.release()


def test_a_worker_that_stops_finishes_the_release_under_way_and_starts_no_other(sandbox, alice, work, monkeypatch):
    monkeypatch.setattr(sender, "AT_ONCE", 1)
    first, second = factories.create_workstation(alice), factories.create_workstation(alice)
    sandbox.script({"on": "DELETE", "delay": 1})
    worker = work(1)
    for workstation in (first, second):
        releases.request_release(actor=alice, workstation=workstation)
    await_that(lambda: sandbox.count_left()["DELETE"] == 0)

    worker.stop()
    await_row(models.Worker.objects.filter(name=worker.name, stopped_at__isnull=False))

    assert list(models.Workstation.objects.order_by("pk").values_list("release_tries", flat=True)) == [1, 0]
    assert list(models.Workstation.objects.live()) == [second]


def test_whatever_a_release_raises_does_not_end_the_sender(sandbox, alice, caplog):
    workstation = factories.create_workstation(alice)
    models.Workstation.objects.update(uid="..")
    releases.request_release(actor=alice, workstation=workstation)
    with run_sender() as kept:
        await_that(lambda: "A call broke in our own code" in caplog.text)

        models.Workstation.objects.update(uid=workstation.uid, release_due_at=Now())
        kept.wake()
        await_end(workstation)


def test_an_idle_sender_holds_no_connection(sandbox, alice):
    workstation = factories.create_workstation(alice)
    releases.request_release(actor=alice, workstation=workstation)
    with run_sender():
        await_end(workstation)
        if connection.vendor == "postgresql":
            own = pool.get()
            await_that(lambda: own.get_stats()["pool_available"] == own.get_stats()["pool_size"] - 1)


def test_an_end_is_recorded_as_soon_as_the_database_is_back(sandbox, alice, monkeypatch, caplog):
    monkeypatch.setattr(sender, "PAUSE", 0.1)
    if connection.vendor == "sqlite":  # it says at once that it is locked
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
    workstation = factories.create_workstation(alice)
    sandbox.script({"on": "DELETE", "delay": 1})
    releases.request_release(actor=alice, workstation=workstation)
    with run_sender():
        await_that(lambda: sandbox.count_left()["DELETE"] == 0)

        with unusable_table("portal_workstation"):
            await_that(lambda: "A release is recorded in a moment" in caplog.text)
        await_end(workstation)
    assert models.Workstation.objects.get().release_tries == 1
