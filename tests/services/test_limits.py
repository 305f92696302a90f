"""What one person may do within a minute, so that nobody suffers from it: counted for all processes together."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as present
from django.db import transaction
from django.db.models import F

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.connections import opening
from portal.services.limits import limits
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)

Kind = models.Connection.Kind
ZONES = ("Europe/Berlin", "Asia/Tokyo", "UTC")


@pytest.fixture(autouse=True)
def _limits(settings) -> None:
    settings.PORTAL_LIMITS = True


@pytest.fixture
def workstation(sandbox, alice) -> models.Workstation:
    return factories.submit_and_settle(alice, type="max").workstation


def let_window_pass() -> None:
    models.Limit.objects.update(at=F("at") - limits.MINUTE)


def list_refusals() -> list[tuple[str, str, int, int]]:
    rows = factories.list_events("refused").order_by("id")
    return [(row.actor_name, row.target, row.detail["status"], row.detail["left_out"]) for row in rows]


def change_zone(browser, number: int = 0):
    return browser.post("/accounts/", {"time_zone": ZONES[number % 3]})


def ask(browser, **values: str):
    return browser.post("/requests/new/", {"type": "python", "submission": str(uuid4())} | values)


# --- Submissions and acts ---


def test_a_person_submits_sixty_requests_a_minute(sandbox, sign_in, alice, bob, use_up):
    factories.mark_baseline_scan()
    browser, form = sign_in(alice), str(uuid4())
    assert ask(browser, submission=form).status_code == 302
    use_up(alice, "submission", 58)
    assert [ask(browser).status_code for _ in range(4)] == [302] * 2 + [200] * 2
    response = ask(browser, note="Please keep me.")
    shown = response.content.decode()
    assert "You can submit 60 requests a minute. Try again in " in shown
    assert "Nothing was requested yet" in shown
    assert "Please keep me." in shown
    assert ask(browser, submission=form).status_code == 302, "the same form again is no request more"
    assert ask(sign_in(bob)).status_code == 302
    assert models.Request.objects.filter(requester=alice).count() == 3
    assert list_refusals() == [("alice", "more than 60 submissions a minute", 429, 0)]
    assert change_zone(browser).status_code == 302, "acts are counted apart"

    let_window_pass()
    assert ask(browser).status_code == 302
    use_up(alice, "submission", 60)
    assert ask(browser).status_code == 200
    assert list_refusals()[1:] == [("alice", "more than 60 submissions a minute", 429, 2)]


def test_a_person_makes_thirty_changes_a_minute(sign_in, alice, bob, use_up):
    browser = sign_in(alice)
    assert change_zone(browser).status_code == 302
    use_up(alice, "act", 28)
    assert [change_zone(browser, number).status_code for number in range(1, 5)] == [302] * 2 + [429] * 2
    response = change_zone(browser)
    assert 0 < int(response.headers["Retry-After"]) <= 60
    shown = response.content.decode()
    assert "You can make 30 changes a minute. Try again in " in shown
    assert "alice" in shown, "a page like the others"
    assert factories.list_events("set-time-zone").count() == 3
    assert list_refusals() == [("alice", "more than 30 acts a minute", 429, 0)]
    assert browser.post("/requests/export.csv").status_code == 429
    assert ask(browser).status_code == 302, "submissions have a limit of their own"
    assert change_zone(sign_in(bob)).status_code == 302
    assert browser.post("/accounts/logout/").status_code == 302

    let_window_pass()
    assert change_zone(sign_in(alice)).status_code == 302


def test_what_needs_a_right_is_not_counted_and_one_s_own_is(sign_in, alice, olga, root, use_up):
    others = [factories.submit(alice).pk for _ in range(2)]
    own = factories.submit(olga).pk
    for person in (olga, root):
        use_up(person, "act", 30)
    operator, administrator = sign_in(olga), sign_in(root)
    assert operator.post(f"/requests/{others[0]}/close/", {"reason": "A drill."}).status_code == 302
    values = {"username": "carol", "group": "", "is_administrator": ""}
    assert administrator.post("/people/new/", values).status_code != 429
    assert operator.post(f"/requests/{own}/cancel/").status_code == 429
    assert sign_in(alice).post(f"/requests/{others[1]}/cancel/").status_code == 302
    assert models.Limit.objects.get(kind="act", who=str(alice.pk)).count == 1


def test_a_release_and_what_failed_are_no_acts(sandbox, sign_in, alice):
    workstations = [factories.create_workstation(alice).pk for _ in range(3)]
    browser = sign_in(alice)
    browser.post("/workstations/", {"workstation": workstations, "confirmed": "yes"})
    assert browser.post("/accounts/", {"time_zone": "Nowhere"}).status_code == 200
    assert models.Event.objects.filter(actor_name="alice", verb="request-release").count() == 3
    assert not models.Limit.objects.filter(kind="act").exists()


def test_a_stranger_at_an_open_browser_keeps_its_owner_from_nothing(client, sign_in, alice, use_up):
    stranger = sign_in(alice)
    use_up(alice, "act", 29)
    assert [change_zone(stranger, number).status_code for number in range(2)] == [302, 429]
    assert client.post("/accounts/login/", {"username": "alice", "password": factories.PASSWORD}).status_code == 302
    assert client.post("/accounts/sessions/end/", {"session": "others"}).status_code == 302
    assert change_zone(stranger).headers["Location"].startswith("/accounts/login/")


def test_limits_can_be_off(settings, sign_in, alice, use_up):
    use_up(alice, "act", 30)
    settings.PORTAL_LIMITS = False
    assert change_zone(sign_in(alice)).status_code == 302


@pytest.mark.parametrize("is_new", [True, False])
def test_the_last_place_is_one_s_alone(alice, is_new):
    if not is_new:
        models.Limit.objects.create(kind="opening", who=str(alice.pk), at=Now() - timedelta(hours=1), count=10)

    @transaction.atomic
    def count() -> bool:
        limits.count_one(kind=limits.OPENING, person=alice)
        return True

    done = crowd.run_together(*[count] * 8)
    done += crowd.run_together(*[count] * 8)
    assert done.count(True) == 10
    assert {type(one) for one in done} == {bool, limits.Limited}


@pytest.mark.skipif(present.ON_SQLITE, reason="One writes at a time there.")
def test_who_is_being_counted_keeps_nobody_else_waiting(alice, bob):
    """The other one's statement would fail after the time that it may wait for a lock."""
    with transaction.atomic():
        limits.count_one(kind=limits.ACT, person=alice)
        count = partial(limits.count_one, kind=limits.ACT, person=bob)
        assert crowd.run_together(transaction.atomic(count)) == [None]


def test_a_refusal_that_is_noted_when_the_next_window_has_begun_uses_none_of_it(alice, use_up):
    use_up(alice, "act", 30)
    with pytest.raises(limits.Limited) as caught:
        limits.count_one(kind=limits.ACT, person=alice)
    let_window_pass()
    limits.count_one(kind=limits.ACT, person=alice)
    limits.record_limit(limited=caught.value)
    row = models.Limit.objects.get(kind="act")
    assert (row.count, row.left_out) == (1, 1)


# --- Openings ---


def open_one(person: models.User, workstation: models.Workstation) -> opening.Opened:
    return opening.open_connection(person=person, workstation=workstation, kind=Kind.TERMINAL)


def while_asked(monkeypatch, act: Callable[[], object]) -> None:
    asked, acts = agentstation.Client.open_connection, [act]

    def open_late(client: agentstation.Client, **values: Any) -> str:
        if acts:
            acts.pop()()
        return asked(client, **values)

    monkeypatch.setattr(agentstation.Client, "open_connection", open_late)


def test_the_row_is_there_before_the_provider_is_asked(sandbox, alice, workstation, monkeypatch):
    seen = list[tuple[bool, bool]]()

    def look() -> None:
        seen.extend((row.is_opening, row.ended_at is None) for row in models.Connection.calls.all())

    while_asked(monkeypatch, look)
    sandbox.script({"on": "POST /workstations/{id}/sandbox/pty", "status": 500})
    with pytest.raises(opening.NotOpened):
        open_one(alice, workstation)
    look()
    assert seen == [(True, True), (True, False)]
    assert not models.Connection.objects.exists(), "it is none"
    assert open_one(alice, workstation).connection == models.Connection.objects.get()


def test_a_person_has_two_opened_at_once(alice, workstation, monkeypatch):
    refused = list[opening.Busy]()

    def open_third() -> None:
        with pytest.raises(opening.Busy) as caught:
            open_one(alice, workstation)
        refused.append(caught.value)

    other = models.Connection(person=alice, workstation=workstation, kind=Kind.DESKTOP, is_opening=True)
    other.save()
    while_asked(monkeypatch, open_third)
    open_one(alice, workstation)
    assert [one.retry_after for one in refused] == [3.0]
    assert models.Limit.objects.get(kind="opening").count == 1, "one that has to wait is not counted"
    while_asked(monkeypatch, lambda: None)
    open_one(alice, workstation)
    # Where a process died, its call is over after as long as one may take.
    models.Connection.calls.update(opened_at=Now() - timedelta(seconds=14), is_opening=True, ended_at=None)
    open_one(alice, workstation)


def test_a_person_opens_ten_a_minute_and_the_page_says_when_to_go_on(sign_in, alice, workstation, use_up):
    use_up(alice, "opening", 9)
    browser, path = sign_in(alice), f"/workstations/{workstation.uid}/connections/"
    assert [browser.post(path, {"kind": "terminal"}).status_code for _ in range(2)] == [200, 503]
    told = browser.post(path, {"kind": "terminal"}).json()
    assert told["state"] == "busy"
    assert "You can open 10 connections a minute. Try again in " in told["text"]
    assert 0 < told["retry_after"] <= 60
    scripts = browser.post(f"/workstations/{workstation.uid}/scripts/", {"kind": "vnc"}).content.decode()
    assert "You can open 10 connections a minute." in scripts
    assert list_refusals() == [("alice", "more than 10 openings a minute", 429, 0)]
    assert models.Connection.calls.count() == 1
