"""Notifications by mail: to a real server, with what it does; what people choose, and one press to stop them."""

import os
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from portal import failures, models
from portal.db import clock, places
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import database_moved, steady_clock
from portal.services.notifications import delivery, messages
from portal.services.people import mail
from portal.services.reconciliation import restore
from portal.services.runtime import leases
from tests import factories, ports
from tests.browser import Browser
from tests.notifications.conftest import move_back, send_mails, tell_by_mail
from tests.notifications.test_telling import fail

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent
ORIGIN = "https://portal.example"


@pytest.fixture(name="alice")
def _create_alice(db) -> models.User:
    return factories.create_user("alice", "Members", email="alice@team.example")


def find_link(text: str) -> str:
    """The path by which mails of this kind are stopped, as it stands in the head: programs decode nothing there."""
    found = re.search(rf"^List-Unsubscribe: <{ORIGIN}(/\S+)>\r$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_a_mail_says_what_happened_and_leads_to_the_portal(mails, alice, olga):
    [failed] = fail(alice, olga)
    tell_by_mail()
    send_mails()
    [message] = mails.mails
    assert (message["To"], message["From"]) == ("alice@team.example", "portal@team.example")
    assert message["Subject"] == f"R-{failed.pk} failed: {failures.CATALOGUE['402'].title}"
    assert message["Auto-Submitted"] == "auto-generated"
    assert f"{ORIGIN}/requests/{failed.pk}/" in message.get_content()
    row = models.Notification.objects.get()
    assert (row.failure, row.send_due_at, row.send_tries) == ("", None, 1)
    assert row.sent_at is not None
    assert row.read_at is None


def test_times_are_in_the_reader_s_zone(mails, sandbox, alice):
    factories.update(alice, time_zone="Asia/Tokyo")
    stored, detail = factories.create_workstation(alice), {"ends_at": "2026-12-01T20:00:00+00:00", "why": "idle"}
    with transaction.atomic():
        audit.record(Verb.WARN_END, stored, detail=detail, rows=())
    tell_by_mail()
    assert "ends on 2 Dec 2026, 05:00 JST" in mails.mails[0]["Subject"]


def test_a_storm_is_one_mail(mails, alice, olga):
    fail(alice, olga, count=50)
    tell_by_mail()
    [message] = mails.mails
    assert message["Subject"].startswith("50 requests failed: ")


def test_a_moment_is_waited_for_what_else_happens(tell, mails, alice, olga):
    fail(alice, olga)
    tell()
    factories.acquire_lease(name="mail").run(delivery.send_mails)
    assert mails.connections == 0


def test_names_and_reasons_put_nothing_into_the_head(mails, sandbox, alice, olga):
    stored = factories.create_workstation(alice)
    models.Workstation.objects.update(uid="<script>\r\nBcc: eve@evil.example")
    stored.refresh_from_db()
    factories.update(olga, username="o\r\nBcc: eve@evil.example")
    olga.refresh_from_db()
    with transaction.atomic():
        audit.record(Verb.REQUEST_RELEASE, stored, by=olga, reason="<b>Because</b>\r\n\r\nhello", rows=())
    tell_by_mail()
    [message] = mails.mails
    assert message["Bcc"] is None
    assert message["To"] == "alice@team.example"
    assert message.get_content_type() == "text/plain"
    assert "<b>Because</b>    hello" in message.get_content()


# --- Whom it is not sent to ---


def test_without_a_mail_server_or_an_address_nothing_is_due(tell, alice, olga, settings):
    fail(alice, olga)
    [row] = tell()
    assert row.send_due_at is None


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"email": ""}, {"mail_choices": {"failed": False}}, {"pk": None}]
)
def test_who_no_longer_wants_it_or_is_no_longer_there_gets_none(tell, mails, alice, olga, change):
    fail(alice, olga)
    tell()
    if change.get("pk", 0) is None:
        models.Notification.objects.update(kind="former")  # of another version of the portal
    else:
        factories.update(alice, **change)
    send_mails()
    assert mails.connections == 0
    row = models.Notification.objects.get()
    assert (row.send_due_at, row.failure) == (None, "not wanted")


def test_people_choose_what_is_mailed(tell, mails, alice, olga, sign_in):
    browser = sign_in(alice)
    page = browser.get("/notifications/").text
    assert re.findall(r'name="kinds"\s+value="(\w+)"', page) == [
        *("ready", "failed", "cancelled", "decision", "ends", "released", "kept", "shared")
    ]
    assert page.count("checked") == 8
    assert browser.post("/notifications/", {"kinds": ["ready"]}).url == "/notifications/"
    alice.refresh_from_db()
    assert alice.mail_choices["failed"] is False
    assert browser.get("/notifications/").text.count("checked") == 1
    fail(alice, olga)
    [row] = tell()
    assert row.send_due_at is None
    assert browser.post("/notifications/", {"kinds": ["nonsense"]}).status_code == 200
    alice.refresh_from_db()
    assert "nonsense" not in alice.mail_choices


def test_operators_are_asked_about_their_kinds_too(mails, olga, anna, sign_in):
    models.User.objects.update(email="x@team.example")
    for person, count in ((olga, 14), (anna, 9)):
        assert sign_in(person).get("/notifications/").text.count('name="kinds"') == count


# --- One press ---


def test_one_press_in_a_mail_program_stops_the_kind(tell, mails, alice, olga):
    fail(alice, olga)
    tell_by_mail()
    [message] = mails.mails
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = find_link(mails.texts[0])
    assert f"{ORIGIN}{path}" in message.get_content()
    stranger = Browser(enforce_csrf_checks=True)
    shown = stranger.get(path)
    assert "Stop these mails" in shown.text
    alice.refresh_from_db()
    assert alice.mail_choices == {}, "to look changes nothing"
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    alice.refresh_from_db()
    assert alice.mail_choices == {"failed": False}
    event = factories.find_event("choose-mail")
    assert (event.actor_name, event.detail) == ("alice", {"before": {}, "after": {"failed": False}})
    fail(alice, olga)
    models.Notification.objects.update(created_at=Now() - timedelta(minutes=11))
    assert tell()[-1].send_due_at is None


def test_a_link_that_was_changed_stops_nothing(mails, alice, bob, olga, client):
    fail(alice, olga)
    tell_by_mail()
    path = find_link(mails.texts[0])
    for other in (path[:-3] + "/", path.replace(f"{alice.pk}.", f"{bob.pk}."), path.replace("failed", "ready")):
        assert client.get(other).status_code == client.post(other).status_code == 404
    assert not factories.list_events("choose-mail").exists()


# --- Mail servers that misbehave ---


def find_wait(row: models.Notification) -> timedelta:
    assert row.send_due_at is not None, row.failure
    return row.send_due_at - timezone.now()


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ({}, "TimeoutError"),
        ({"RCPT": "550 no"}, "SMTPRecipientsRefused"),
        ({"DATA": "450 later"}, "SMTPDataError 450"),
        ({"EHLO": "421 no", "HELO": "421 no"}, "SMTPHeloError 421"),
    ],
)
def test_what_fails_is_tried_again_after_growing_pauses(tell, mails, monkeypatch, alice, olga, replies, why):
    monkeypatch.setattr(mail, "LONGEST", 0.5)
    monkeypatch.setattr(mail, "PATIENCE", 0.0)
    mails.replies = replies
    if not replies:
        mails.going_on.clear()
    fail(alice, olga)
    tell()
    pauses = []
    for tries in range(1, 4):
        send_mails()
        row = models.Notification.objects.get()
        assert (row.failure, row.send_tries, row.sent_at) == (why, tries, None)
        pauses.append(round(find_wait(row).total_seconds(), -1))
        models.Notification.objects.update(send_due_at=Now())
    assert pauses == [30, 60, 120]
    mails.replies = {}
    mails.going_on.set()
    send_mails()
    assert models.Notification.objects.get().sent_at is not None


def test_a_server_that_is_away_delays_nobody(tell, mails, settings, alice, olga):
    settings.MAILERS["default"]["OPTIONS"]["port"] = ports.find_port()
    fail(alice, olga)
    tell()
    begun = time.monotonic()
    send_mails()
    assert time.monotonic() - begun < 5
    assert models.Notification.objects.get().failure == "ConnectionRefusedError"


def test_after_a_day_it_is_given_up(tell, mails, alice, olga):
    mails.replies = {"RCPT": "550 no"}
    fail(alice, olga)
    tell()
    models.Notification.objects.update(send_tries=20, send_due_at=Now())
    send_mails()
    row = models.Notification.objects.get()
    assert timedelta(minutes=59) < find_wait(row) <= timedelta(hours=1)
    models.Notification.objects.update(created_at=Now() - timedelta(hours=25), send_due_at=Now())
    send_mails()
    row = models.Notification.objects.get()
    assert (row.send_due_at, row.sent_at, row.failure) == (None, None, "SMTPRecipientsRefused")


def test_what_no_worker_has_sent_for_an_hour_is_not_sent(tell, mails, alice, olga):
    fail(alice, olga)
    tell()
    move_back(minutes=61)
    factories.acquire_lease(name="mail").run(delivery.send_mails)
    assert mails.connections == 0
    settle_late()
    row = models.Notification.objects.get()
    assert (row.send_due_at, row.failure) == (None, "too late")


def settle_late(*, stepped: float = 0.0) -> None:
    """Two rounds, between which the database's clock, or all but that, goes on by so many seconds."""
    boottime = 100.0
    watched, lease = steady_clock.SteadyClock(boottime=lambda: boottime), factories.acquire_lease(name="late")
    for passed in (-stepped, 1.0):
        lease.run(delivery.settle_late, watched=watched)
        boottime += passed
    lease.run(delivery.settle_late, watched=watched)


def test_a_message_to_a_channel_that_was_taken_out_is_settled_and_a_step_of_the_clock_drops_nothing(sandbox):
    now = clock.read_clock()
    for channel in ("gone", "here"):
        models.Notification.objects.create(channel=channel, kind=messages.TEST, created_at=now, send_due_at=now)
    move_back(minutes=61)
    settle_late(stepped=3660)
    assert not models.Notification.objects.filter(failure="too late").exists()
    assert delivery._take_due(channel="here")
    move_back(minutes=61)
    settle_late()
    assert models.Notification.objects.filter(failure="too late", send_due_at=None).count() == 2


def test_a_connection_that_is_cut_at_one_mail_holds_up_no_other(mails, alice, olga):
    bob = factories.create_user("bob", "Members", email="bob@team.example")
    mails.replies = {"RCPT TO:<ALICE@": ""}
    for person in (alice, bob):
        fail(person, olga)
    tell_by_mail()
    assert [message["To"] for message in mails.mails] == ["bob@team.example"]
    rows = models.Notification.objects.order_by("person__username")
    assert [(row.failure, row.send_tries) for row in rows] == [("SMTPServerDisconnected", 1), ("", 1)]


def test_what_was_not_tried_stays_due_and_is_not_counted(tell, mails, alice, olga, monkeypatch):
    bob = factories.create_user("bob", "Members", email="bob@team.example")
    for person in (alice, bob):
        fail(person, olga)
    tell()
    monkeypatch.setattr(mail, "LONGEST", 0.3)
    monkeypatch.setattr(mail, "PATIENCE", 0.3)
    mails.going_on.clear()
    send_mails()
    mails.going_on.set()
    rows = models.Notification.objects.order_by("id")
    assert [(row.failure, row.send_tries) for row in rows] == [("TimeoutError", 1), ("", 0)]


def test_no_connection_to_the_database_is_held_while_a_mail_is_sent(mails, alice, olga):
    held = []
    mails.before_mail = lambda: held.append(connection.in_atomic_block)
    fail(alice, olga)
    tell_by_mail()
    assert held == [False]


# --- Workers, and the database ---

SEND = """
from tests import factories
from portal.services.notifications import delivery
factories.acquire_lease(name="mail").run(delivery.send_mails)
"""


def test_what_a_killed_worker_had_sent_and_not_recorded_is_sent_again(tell, mails, alice, olga):
    fail(alice, olga)
    tell()
    models.Notification.objects.update(send_due_at=Now())
    assert database_moved.check_database()
    own = connection.settings_dict
    server = f"postgres://{own['USER']}@{own['HOST']}:{own['PORT']}" if own["HOST"] else "sqlite://"
    values = {"EMAIL_URL": mails.url, "PORTAL_URL": ORIGIN, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    environment = os.environ | values | {"DATABASE_URL": f"{server}/{own['NAME']}"}
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", SEND]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as worker:
        mails.before_mail = worker.kill
        worker.wait(60)
        assert mails.has_mail.wait(60)
    mails.before_mail = lambda: None
    assert models.Notification.objects.get().sent_at is None
    send_mails()
    assert len(mails.mails) == 2
    assert models.Notification.objects.get().sent_at is not None


def test_a_worker_that_lost_its_job_records_nothing(tell, mails, alice, olga):
    def take_lease() -> None:
        models.Lease.objects.update(token=F("token") + 1)
        connection.close()

    fail(alice, olga)
    tell()
    mails.before_mail = take_lease
    with pytest.raises(leases.LeaseLost):
        send_mails()
    assert models.Notification.objects.get().sent_at is None


@pytest.mark.parametrize("with_sandbox", [True, False])
def test_a_copy_sends_nothing_before_somebody_has_said_what_it_is(tell, mails, settings, alice, olga, with_sandbox):
    settings.USING_SANDBOX = with_sandbox
    factories.submit(alice)
    assert database_moved.check_database()
    models.Database.objects.update(place="elsewhere")
    models.StreamPosition.objects.update(place="elsewhere")
    fail(alice, olga)
    tell()
    models.User.objects.filter(pk=alice.pk).update(link_asked_at=Now())
    send_mails()
    send_mails()
    assert mails.connections == 0
    assert models.Notification.objects.filter(person=alice, send_due_at__isnull=False).exists()
    if with_sandbox:
        restore.restore_requests()
    else:
        restore.confirm_database(actor=olga, account=models.Account.objects.get(), was_put_back=False)
    assert models.StreamPosition.objects.get().place == places.read_place().name
    send_mails()
    assert len(mails.mails) == 2, "a sign-in link, and a notification"


@pytest.mark.skipif("SLOW" not in os.environ, reason="a part of `make slow`")
def test_a_thousand_are_sent_with_flat_memory(mails, alice):
    def add(count: int) -> None:
        models.Notification.objects.bulk_create(
            models.Notification(
                person=alice,
                kind="failed",
                cause=str(number),
                request_number=number,
                values={"failure": "402"},
                events=[number],
                send_due_at=timezone.now(),
            )
            for number in range(count)
        )

    job: Callable[[], None] = delivery.send_mails
    lease, peaks = factories.acquire_lease(name="mail"), []
    add(50)
    lease.run(job)
    for count in (100, 900):
        add(count)
        tracemalloc.start()
        peak = 0
        while models.Notification.objects.filter(send_due_at__isnull=False).exists():
            mails.mails.clear()
            mails.texts.clear()
            tracemalloc.reset_peak()
            lease.run(job)
            peak = max(peak, tracemalloc.get_traced_memory()[1])
        peaks.append(peak)
        tracemalloc.stop()
    assert models.Notification.objects.filter(sent_at__isnull=False).count() == 1050
    assert peaks[1] < 1.5 * peaks[0]
