"""Who guesses doesn't fill the audit log: failures within a quarter of an hour are one event, with their number."""

from datetime import timedelta
from functools import partial

import pytest
from django.db.models import F
from django.utils import timezone

from portal import models
from portal.services import audit
from portal.services.limits import throttle
from portal.services.people import sessions
from tests import factories
from tests.browser import read
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db
HERE, THERE = "198.51.100.1", "198.51.100.2"


def fail(name: str = "alice", *, address: str = HERE, factor: str = "password") -> None:
    with audit.acting_from(origin=audit.Origin(address=address)):
        throttle.record_failed_sign_in(name=name, factor=factor)


def let_window_pass() -> None:
    models.Limit.objects.update(at=F("at") - timedelta(minutes=15))


def run_job() -> None:
    factories.acquire_lease(name="sessions", holder="me", seconds=60).run(sessions.prune_sessions)


def list_events() -> list[tuple[str, str, int, dict[str, int]]]:
    rows = factories.list_events("sign-in-failed").order_by("pk")
    return [(row.target, row.address, row.detail["count"], row.detail["addresses"]) for row in rows]


def test_the_first_is_an_event_at_once_and_the_rest_are_in_that_of_the_next_window(alice):
    fail()
    assert list_events() == [("user alice", HERE, 1, {HERE: 1})]
    for address in (HERE, THERE, THERE):
        fail(address=address)
    assert len(list_events()) == 1
    let_window_pass()
    fail()
    assert list_events()[1:] == [("user alice", HERE, 4, {HERE: 2, THERE: 2})]


def test_the_rest_is_written_when_the_window_is_over_though_nobody_tries_again(alice):
    for _ in range(3):
        fail()
    fail("nobody", address=THERE)
    fail("somebody else", address=THERE)
    run_job()
    assert len(list_events()) == 2
    let_window_pass()
    run_job()
    run_job()
    assert sorted(list_events()[2:]) == [
        ("a name that nobody has", "", 1, {THERE: 1}),
        ("user alice", "", 2, {HERE: 2}),
    ]


def test_names_that_nobody_has_are_counted_by_address_and_not_kept():
    for address in (HERE, THERE):
        for name in ("hunter2", "hunter3"):
            fail(name, address=address)
    assert [(target, address) for target, address, *_ in list_events()] == [
        ("a name that nobody has", HERE),
        ("a name that nobody has", THERE),
    ]
    assert "hunter" not in str(list(models.Limit.objects.values()))


def test_codes_are_counted_apart_because_who_gets_there_has_the_password(alice):
    fail()
    fail(factor="code")
    events = factories.list_events("sign-in-failed")
    assert sorted(event.detail["factor"] for event in events) == ["code", "password"]


def test_what_is_counted_is_forgotten_a_day_later_and_not_before_it_is_in_an_event(alice):
    for _ in range(2):
        fail()
    models.Limit.objects.update(at=timezone.now() - timedelta(days=2))
    run_job()
    assert len(list_events()) == 2
    assert not models.Limit.objects.exists()


def test_a_clock_that_was_ahead_hides_nothing(alice):
    fail()
    models.Limit.objects.update(at=timezone.now() + timedelta(days=400))
    fail()
    assert len(list_events()) == 2


def test_operators_see_how_many_there_were(alice, anna, sign_in):
    for _ in range(3):
        fail()
    let_window_pass()
    run_job()
    browser = sign_in(anna)
    assert "Failed sign-ins, 24 hours: </span>3</a>" in read(browser.get("/overview/"))
    assert "Somebody failed to sign in as alice: 2 times" in read(browser.get("/admin/portal/event/"))


@pytest.mark.django_db(transaction=True)
def test_failures_at_one_time_are_all_counted(alice):
    for _ in range(2):
        crowd.run_together(*[fail] * 5, *[partial(fail, "nobody")] * 5)
    let_window_pass()
    crowd.run_together(*[run_job] * 2, fail, partial(fail, "nobody"))
    run_job()
    let_window_pass()
    run_job()
    counts = {target: 0 for target, *_ in list_events()}
    for target, _address, count, _addresses in list_events():
        counts[target] += count
    assert counts == {"user alice": 11, "a name that nobody has": 11}
