"""Workers: which are known, and one that was killed: another process of its machine ends what it had under way."""

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.reconciliation import timeouts
from portal.services.runtime import leases, workers
from tests import factories
from tests.services.reconciling import statuses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scan_in_every_round")]


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def name_of(process: subprocess.Popen[bytes]) -> str:
    place = workers.make_name().rsplit(":", 2)[0]
    with open(f"/proc/{process.pid}/stat") as file:  # noqa: PTH123
        return f"{place}:{process.pid}:{file.read().rpartition(')')[2].split()[19]}"


def end_dead() -> None:
    """What a worker of this process does when it shows that it lives."""
    timeouts.end_dead_workers(name=workers.make_name())


def test_a_name_says_which_process_it_is_of():
    host, boot, namespace, number, start = workers.make_name().split(":")
    assert (host, int(number)) == (os.uname().nodename, os.getpid())
    assert boot
    assert int(namespace) > 0
    assert int(start) > 0
    assert workers.make_name() == workers.make_name()


def test_a_worker_is_dead_once_its_process_is_gone_also_before_anybody_has_waited_for_it(other):
    name = name_of(other)
    workers.note_worker(name=name)
    assert workers.list_dead(name=workers.make_name()) == []
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert workers.list_dead(name=workers.make_name()) == [name]


@pytest.mark.parametrize("part", [0, 1, 2], ids=["host", "boot", "namespace"])
def test_of_a_worker_elsewhere_nothing_is_known(part):
    parts = workers.make_name().split(":")
    parts[part], parts[3] = "1", "999999999"
    workers.note_worker(name=":".join(parts))
    assert workers.list_dead(name=workers.make_name()) == []


def test_a_number_that_another_process_has_now_is_not_the_worker_s():
    *place, number, _start = workers.make_name().split(":")
    former = ":".join([*place, number, "1"])
    workers.note_worker(name=former)
    assert workers.list_dead(name=workers.make_name()) == [former]


def claim_and_die(other: subprocess.Popen[bytes]) -> str:
    name = name_of(other)
    workers.note_worker(name=name)
    assert factories.claim_next(worker=name) is not None
    other.kill()
    other.wait()
    return name


def test_what_it_had_under_way_is_unknown_and_takes_no_place(sandbox, alice, bob, settings, other):
    settings.PORTAL_CALLS_IN_FLIGHT = 1
    lost, waiting = factories.submit(alice), factories.submit(bob)
    dead = claim_and_die(other)
    held = leases.acquire_lease(name="reconcile", holder=dead, seconds=600)
    assert held
    assert factories.claim_next() is None

    end_dead()

    assert statuses(lost) == ["UNKNOWN"]
    assert factories.find_event("worker-died").request_number == lost.pk
    assert factories.send_until_settled(waiting).status == "SUCCEEDED"
    assert leases.acquire_lease(name="reconcile", holder="next", seconds=60) is not None
    assert not workers.list_living().exists()


def test_what_a_living_worker_has_under_way_is_left_alone(sandbox, alice, other):
    portal_request = factories.submit(alice)
    name = name_of(other)
    workers.note_worker(name=name)
    assert factories.claim_next(worker=name) is not None
    end_dead()
    assert statuses(portal_request) == ["SENDING"]


def test_a_worker_that_was_not_seen_for_a_week_is_forgotten():
    for name in ("old", "new"):
        workers.note_worker(name=name)
    models.Worker.objects.filter(name="old").update(seen_at=Now() - timedelta(days=8))
    workers.prune_workers()
    assert list(models.Worker.objects.values_list("name", flat=True)) == ["new"]
