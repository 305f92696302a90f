"""What nobody uses ends, where administrators have set hours for that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from portal import models
from portal.db import clock
from portal.services.lives import ends
from tests import factories
from tests.lives.test_ends import HOUR, is_released, list_warnings, read_left

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _four_hours(db) -> None:
    factories.set_policy(idle_hours=4)


def connect(workstation: models.Workstation, *, kind: str = "desktop", is_open: bool = True) -> None:
    assert workstation.request is not None
    now = clock.read_clock()
    models.Connection.objects.create(
        workstation=workstation,
        person=workstation.request.requester,
        kind=kind,
        opened_at=now,
        seen_at=now,
        ended_at=None if is_open else now,
    )


def test_what_nobody_uses_is_announced_and_released(time, alice):
    workstation = factories.create_workstation(alice, lifetime="7d")
    time.pass_by(minutes=4 * HOUR - 2)
    assert list_warnings(workstation) == []
    time.pass_by(minutes=2)
    assert (list_warnings(workstation), read_left(workstation)) == ([("idle", 1)], 30)
    time.pass_by(minutes=28)
    assert (list_warnings(workstation), is_released(workstation)) == ([("idle", 1), ("idle", 2)], False)
    time.pass_by(minutes=3)
    assert is_released(workstation)
    assert models.Event.objects.get(verb="request-release").reason == "Nobody used it for a long time."


@contextmanager
def in_between(column: str, do: Callable[[], None]) -> Iterator[None]:
    """Done within a round: when it has read what is due, and is about to write this column of a workstation."""
    left = [do]

    def execute(execute: Any, sql: str, params: object, many: bool, context: object) -> Any:
        if left and sql.startswith('UPDATE "portal_workstation"') and f'"{column}" =' in sql.partition("WHERE")[0]:
            left.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield
    assert not left


def test_who_uses_it_while_it_is_being_announced_keeps_it(time, alice):
    workstation = factories.create_workstation(alice, lifetime="none")
    time.pass_by(minutes=4 * HOUR - 1)
    with in_between("end_is_idle", lambda: connect(workstation)):
        time.pass_by(minutes=1)
    assert list_warnings(workstation) == []


def test_who_uses_it_at_the_last_moment_keeps_it(time, alice):
    workstation = factories.create_workstation(alice, lifetime="none")
    time.pass_by(minutes=4 * HOUR)
    time.pass_by(minutes=24)
    time.pass_by(minutes=5)
    with in_between("release_requested_at", lambda: connect(workstation)):
        time.pass_by(minutes=2)
    assert not is_released(workstation)
    assert (workstation.ends_at, workstation.end_is_idle) == (None, False)
    event = models.Event.objects.get(verb="set-end")
    assert (event.actor_name, event.reason) == ("", "It no longer counts as unused.")


def test_who_kept_it_at_the_last_moment_is_promised_its_next_end_anew(time, alice):
    workstation = factories.create_workstation(alice, lifetime="none")
    time.pass_by(minutes=4 * HOUR)
    for seconds in (25 * 60 + 5, 10):
        time.sleep(seconds)
        time.look()
    with in_between("release_requested_at", lambda: connect(workstation)):
        time.sleep(5 * 60)
        time.look()
    time.look()
    assert factories.reread(workstation).ends_at is None
    models.Connection.objects.update(ended_at=clock.read_clock())
    time.pass_by(minutes=4 * HOUR)
    assert list_warnings(workstation)[-1] == ("idle", 1)
    time.sleep(hours=1)
    time.start_worker()
    time.look()
    assert not is_released(workstation)
    time.pass_by(minutes=6)
    assert is_released(workstation)


@pytest.mark.parametrize("lifetime", ["7d", "none"])
def test_what_a_response_names_to_another_counts_as_unused_from_then_on(time, sandbox, alice, bob, lifetime):
    workstation = factories.create_workstation(alice, lifetime=lifetime)
    time.sleep(hours=5)
    sandbox.script({"status": 200, "body": {"id": workstation.uid, "type": "python", "status": "active"}})
    assert factories.submit_and_send(bob).status == "UNKNOWN"
    time.pass_by(minutes=3.5 * HOUR)
    assert list_warnings(workstation) == []
    time.pass_by(minutes=40)
    assert list_warnings(workstation) == [("idle", 1)]


@pytest.mark.parametrize("lifetime", ["6h", "7d", "none"])
def test_who_gives_it_more_time_keeps_its_own_end_or_a_later_one(time, alice, lifetime):
    workstation = factories.create_workstation(alice, lifetime=lifetime)
    planned = workstation.ends_at
    time.pass_by(minutes=4 * HOUR)
    ends.extend_life(actor=alice, workstation=workstation)
    workstation.refresh_from_db()
    assert (workstation.end_is_idle, workstation.planned_end_at) == (False, None)
    if lifetime == "6h":
        assert read_left(workstation) == 2 * HOUR + 30
    else:
        assert workstation.ends_at == planned
    time.pass_by(minutes=60)
    assert list_warnings(workstation) == [("idle", 1)]


def test_after_a_restore_its_own_end_is_not_within_half_an_hour_either(time, alice):
    ending, unending = (factories.create_workstation(alice, lifetime=lifetime) for lifetime in ("6h", "none"))
    time.pass_by(minutes=4 * HOUR + 1)
    time.sleep(hours=9)
    call_command("restore", verbosity=0)
    for workstation in (ending, unending):
        connect(workstation)
    time.pass_by(minutes=29)
    assert (is_released(ending), factories.reread(unending).ends_at) == (False, None)
    time.pass_by(minutes=3)
    assert is_released(ending)
