"""Connections into workstations: opened with the team's key, told to one page, and kept nowhere."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db.models import F

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.connections import access, ending, hosts, opening, shares
from portal.services.key import circuit_breaker, credentials
from portal.services.mirrors import releases
from portal.services.runtime import clients
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)

Kind = models.Connection.Kind
TERMINAL = "POST /workstations/{id}/sandbox/pty"
SECRET = "ws://127.0.0.1:9/v1/pty/secret-token-of-this-test"


@pytest.fixture
def workstation(sandbox, alice) -> models.Workstation:
    return factories.submit_and_settle(alice, type="max").workstation


def script(sandbox, **answer: object) -> None:
    sandbox.script({"on": TERMINAL, **answer})


def open_one(
    person: models.User, workstation: models.Workstation, kind: models.Connection.Kind = Kind.TERMINAL, **values: Any
) -> opening.Opened:
    return opening.open_connection(person=person, workstation=workstation, kind=kind, **values)


def refuse(person: models.User, workstation: models.Workstation) -> opening.NotOpened:
    with pytest.raises(opening.NotOpened) as caught:
        open_one(person, workstation)
    return caught.value


# --- Opening ---


def test_an_opened_connection_is_an_event_and_its_address_is_nowhere(sandbox, alice, workstation):
    script(sandbox, status=200, body={"url": SECRET})
    opened = open_one(alice, workstation)
    assert opened.address == SECRET
    event = factories.find_event("open-connection")
    assert (event.actor_name, event.detail["kind"]) == ("alice", "terminal")
    for model in apps.get_models():
        for row in model._default_manager.values_list():
            assert "secret-token" not in str(row), model
    assert "secret-token" not in repr(opened)
    assert "secret-token" not in repr(opened.address), "no traceback shows it"


def test_the_address_must_be_at_a_known_host(sandbox, alice, workstation):
    script(sandbox, status=200, body={"url": "wss://evil.example/v1/pty/secret"})
    refusal = refuse(alice, workstation)
    assert "PORTAL_CONNECTION_HOSTS" in refusal.text
    assert not models.Connection.objects.exists()


@pytest.mark.parametrize(
    ("address", "is_url", "is_known"),
    [
        ("wss://connect.agentstation.ai/v1/pty/x", True, True),
        ("https://a.cdp.v1.connect.agentstation.ai", True, True),
        ("ws://connect.agentstation.ai/v1/pty/x", True, False),
        ("wss://connect.agentstation.ai:8443/", True, False),
        ("wss://agentstation.ai.evil.example/", True, False),
        ("wss://evilagentstation.ai/", True, False),
        ("javascript:alert(1)//connect.agentstation.ai", True, False),
        ("wss://[::1/", True, False),
        (r"wss://evil.example\@connect.agentstation.ai/x", True, False),
        ("wss://me:secret@connect.agentstation.ai/x", True, False),
        (" wss://connect.agentstation.ai/x", True, False),
        ("wss://connect.agentstation.ai:0/x", True, False),
        ("wss://connect.agentstation.ai%2f/x", True, False),
        ('https://connect.agentstation.ai/"); import os #', True, False),
        ("https://connect.agentstation.ai/\ud800", True, False),
        ("a.agentstation.ai:5900; curl evil|sh", False, False),
        ("a.agentstation.ai:99999", False, False),
        ("a.agentstation.ai", False, False),
        ("a2m.vnc.v1.connect.agentstation.ai:5900", False, True),
        ("vnc.evil.example:5900", False, False),
    ],
)
def test_hosts_are_known_by_name_scheme_and_port(settings, address, is_url, is_known):
    settings.PORTAL_CONNECTION_HOSTS = ["*.agentstation.ai"]
    assert hosts.is_known(address=address, is_url=is_url) is is_known
    assert hosts.list_sources() == ["wss://*.agentstation.ai", "https://*.agentstation.ai"]


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_provider_refuses_is_told_and_remembered_until_it_opens(sandbox, alice, workstation, status):
    script(sandbox, status=status, body={"error": "No terminal", "message": "This type has no terminal."})
    refusal = refuse(alice, workstation)
    assert refusal.said == "This type has no terminal."
    workstation.refresh_from_db()
    remembered = {offer.kind: offer.refusal for offer in access.list_offers(workstation=workstation)}
    assert remembered[Kind.TERMINAL] == "This type has no terminal."

    script(sandbox, status=200, body={"url": SECRET})
    open_one(alice, workstation)
    workstation.refresh_from_db()
    assert workstation.refused_connections == {}


@pytest.mark.parametrize(
    ("answer", "title", "retry_after"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, "Rate limit reached", 7.0),
        ({"status": 403, "body": "<html>Forbidden</html>"}, "Unexpected response", None),
        ({"status": 500}, "AgentStation internal error", None),
        ({"status": 503}, "AgentStation is overloaded", None),
        ({"name": "reset"}, "No response from AgentStation", None),
        ({"status": 200, "body": {"address": SECRET}}, "Unreadable response", None),
    ],
)
def test_other_failures_explain_themselves_and_are_forgotten(sandbox, alice, workstation, answer, title, retry_after):
    script(sandbox, **answer)
    refusal = refuse(alice, workstation)
    assert refusal.retry_after == retry_after
    assert refusal.title == title
    assert "secret-token" not in f"{refusal.title}{refusal.text}{refusal.said}"
    workstation.refresh_from_db()
    assert workstation.refused_connections == {}
    assert not circuit_breaker.get_current_key().is_paused


@pytest.mark.parametrize("status", [401, 402])
@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_refused_key_is_probed_before_anything_is_paused(sandbox, alice, workstation, status, is_accepted):
    script(sandbox, status=status)
    refuse(alice, workstation)
    assert circuit_breaker.get_current_key().probe_at is not None
    assert not circuit_breaker.get_current_key().is_paused

    if not is_accepted:
        sandbox.script({"on": "GET /workstations", "status": status})
    taken = factories.acquire_lease(name="probe")
    assert taken.run(credentials.probe_key, client=clients.make_client()) is is_accepted

    key = circuit_breaker.get_current_key()
    assert key.is_paused is not is_accepted
    assert (key.probe_at is None) is (is_accepted or status == 402), "of a payment no probe can tell"


def test_nothing_is_asked_of_a_workstation_that_ends_or_with_a_key_that_is_refused(sandbox, alice, workstation):
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now())
    assert "API key" in refuse(alice, workstation).title
    models.Key.objects.update(state="ACTIVE", cause="", paused_at=None)
    workstation.release_requested_at = Now()
    workstation.release_requested_by = alice
    workstation.release_due_at = Now()
    workstation.save()
    workstation.refresh_from_db()
    assert "ended" in refuse(alice, workstation).title
    assert access.list_offers(workstation=workstation) == []


def test_what_a_type_lacks_is_not_offered(alice, workstation):
    row, _ = models.WorkstationType.objects.get_or_create(account=workstation.account, name=workstation.type)
    factories.update(row, software=["SSH", "python"])
    offered = {offer.kind for offer in access.list_offers(workstation=workstation)}
    assert offered == {Kind.TERMINAL, Kind.LOG}
    with pytest.raises(opening.NotOpened, match="Not available"):
        open_one(alice, workstation, Kind.DESKTOP)


def test_four_calls_at_one_time_leave_the_fifth_to_come_again(sandbox, alice, workstation):
    script(sandbox, status=200, body={"url": SECRET}, delay=0.0)
    taken = [opening._calls.acquire(blocking=False) for _ in range(4)]
    try:
        assert all(taken)
        with pytest.raises(opening.Busy) as caught:
            open_one(alice, workstation)
        assert caught.value.retry_after == 3
    finally:
        for _ in taken:
            opening._calls.release()
    assert open_one(alice, workstation).address == SECRET


@pytest.mark.parametrize("status", [302, 401, 422, 503])
def test_what_may_be_an_address_is_not_told_in_the_words_of_a_refusal(sandbox, alice, workstation, status):
    script(
        sandbox, status=status, body={"error": "No", "message": f"It is open at {SECRET} or 127.0.0.1:5900 already."}
    )
    refusal = refuse(alice, workstation)
    workstation.refresh_from_db()
    told = f"{refusal.title}{refusal.text}{refusal.said}{workstation.refused_connections}"
    assert "secret-token" not in told
    assert "5900" not in told


def give_meanwhile(sandbox, monkeypatch, change: Callable[[], object]) -> None:
    script(sandbox, status=200, body={"url": SECRET})
    asked = agentstation.Client.open_connection

    def open_late(client: agentstation.Client, **values: Any) -> str:
        address = asked(client, **values)
        change()
        return address

    monkeypatch.setattr(agentstation.Client, "open_connection", open_late)


@pytest.mark.parametrize("change", ["taken back", "look only", "deactivated", "out of all groups", "released"])
def test_nobody_gets_the_address_who_may_no_longer_have_it(sandbox, alice, bob, workstation, monkeypatch, change):
    made = share(alice, workstation, level=models.Share.Level.WORK)
    changes: dict[str, Callable[[], object]] = {
        "taken back": lambda: shares.end_share(share=made, by=alice),
        "look only": lambda: share(alice, workstation, level=models.Share.Level.LOOK),
        "deactivated": lambda: factories.update(bob, is_active=False),
        "out of all groups": lambda: bob.groups.clear(),
        "released": lambda: releases.request_release(actor=alice, workstation=workstation),
    }
    give_meanwhile(sandbox, monkeypatch, changes[change])
    assert "any more" in refuse(bob, workstation).title
    assert not models.Connection.objects.exists()


# --- The end ---


def open_row(person: models.User, workstation: models.Workstation, **values: Any) -> models.Connection:
    connection = models.Connection.objects.create(
        **{"person": person, "workstation": workstation, "kind": Kind.DESKTOP, **values}
    )
    connection.refresh_from_db()
    return connection


def read_end() -> tuple[str, str, int]:
    event = factories.find_event("end-connection")
    return event.actor_name, event.detail["kind"], event.detail["seconds"]


def test_its_page_ends_it_once(alice, workstation):
    connection = open_row(alice, workstation)
    models.Connection.objects.update(opened_at=F("opened_at") - timedelta(seconds=90))
    connection.refresh_from_db()
    ending.end_connection(connection=connection, by=alice)
    ending.end_connection(connection=connection, by=alice)
    who, kind, seconds = read_end()
    assert (who, kind) == ("alice", "desktop")
    assert 90 <= seconds < 150


def test_a_silent_page_ended_at_its_last_sign_of_life(alice, workstation, lease):
    silent, alive = open_row(alice, workstation), open_row(alice, workstation)
    shown = open_row(alice, workstation, kind=Kind.VNC)
    ago = timedelta(minutes=10)
    models.Connection.objects.exclude(pk=alive.pk).update(
        opened_at=F("opened_at") - 2 * ago, seen_at=F("seen_at") - ago
    )
    assert lease.run(ending.end_silent) == 1
    silent.refresh_from_db()
    assert silent.length == ago
    assert read_end() == ("", "desktop", 600)
    assert {row.pk for row in models.Connection.objects.filter(ended_at=None)} == {alive.pk, shown.pk}


def test_the_end_of_a_workstation_ends_all_that_is_open(alice, workstation, lease):
    held, shown = open_row(alice, workstation), open_row(alice, workstation, kind=Kind.CDP)
    factories.end_workstations()
    held.refresh_from_db()
    assert not ending.note_alive(connection=models.Connection.objects.get(pk=held.pk))
    assert lease.run(ending.end_silent) == 1
    shown.refresh_from_db()
    assert shown.ended_at is not None
    assert factories.list_events("end-connection").count() == 2


def test_a_clock_that_stepped_back_makes_nothing_end_before_it_began(alice, workstation):
    connection = open_row(alice, workstation)
    models.Connection.objects.update(opened_at=F("opened_at") + timedelta(hours=1))
    connection.refresh_from_db()
    ending.end_connection(connection=connection, by=alice)
    assert read_end() == ("alice", "desktop", 0)


def test_a_sign_of_life_is_written_down_once_a_minute(alice, workstation):
    connection = open_row(alice, workstation)
    seen_at = connection.seen_at
    assert ending.note_alive(connection=connection)
    assert models.Connection.objects.get().seen_at == seen_at
    models.Connection.objects.update(seen_at=F("seen_at") - timedelta(seconds=61))
    assert ending.note_alive(connection=models.Connection.objects.get())
    assert models.Connection.objects.get().seen_at > seen_at


# --- Who may ---


def find_kinds(person: models.User, workstation: models.Workstation) -> set[str]:
    found = access.find_access(person=person, workstation=workstation)
    return set(found.kinds) if found else set()


def share(alice, workstation, **values: Any) -> models.Share:
    wish: dict[str, Any] = {"name": "bob", "level": models.Share.Level.LOOK, **values}
    return shares.share_workstation(owner=alice, workstation=workstation, **wish)


def test_its_owner_may_all_and_nobody_else_anything(alice, bob, anna, olga, workstation):
    assert find_kinds(alice, workstation) == set(Kind)
    assert find_kinds(bob, workstation) == find_kinds(anna, workstation) == set()
    assert find_kinds(olga, workstation) == set(Kind)
    found = access.find_access(person=olga, workstation=workstation)
    assert found is not None
    assert found.needs_reason


def test_a_share_lets_somebody_look_or_work_until_it_ends(alice, bob, workstation):
    made = share(alice, workstation)
    assert find_kinds(bob, workstation) == {Kind.DESKTOP, Kind.LOG}
    looking = open_row(bob, workstation, is_view_only=True)
    share(alice, workstation, level=models.Share.Level.WORK, lasts=timedelta(hours=1))
    assert find_kinds(bob, workstation) == set(models.Connection.HELD)
    assert ending.note_alive(connection=looking)
    made.refresh_from_db()
    assert made.ended_at is not None, "one share takes the place of the other"

    models.Share.objects.filter(ended_at=None).update(until=Now())
    assert find_kinds(bob, workstation) == set()
    assert not ending.note_alive(connection=looking)
    verbs = models.Event.objects.filter(verb__in=["share", "end-share"]).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["share", "end-share", "share"]


def test_what_was_opened_for_work_ends_where_only_looking_is_left(alice, bob, workstation):
    share(alice, workstation, level=models.Share.Level.WORK)
    working = open_row(bob, workstation)
    share(alice, workstation, level=models.Share.Level.LOOK)
    assert not ending.note_alive(connection=working)


def test_somebody_who_becomes_an_operator_says_why_though_it_is_shared(alice, bob, workstation):
    share(alice, workstation, name="bob", level=models.Share.Level.WORK)
    bob.groups.set(Group.objects.filter(name="Operators"))
    operator = models.User.objects.get(pk=bob.pk)
    found = access.find_access(person=operator, workstation=workstation)
    assert found is not None
    assert found.needs_reason
    assert set(found.kinds) == set(Kind)
    assert not ending.note_alive(connection=open_row(operator, workstation))
    assert ending.note_alive(connection=open_row(operator, workstation, reason="She asked."))


def test_a_name_with_other_capitals_is_one_person_s_alone(alice, bob, workstation):
    assert share(alice, workstation, name="BOB").person == bob
    capital = factories.create_user("Bob", "Members")
    assert share(alice, workstation, name="Bob").person == capital
    with pytest.raises(shares.NotShared):
        share(alice, workstation, name="BOB")


def test_a_share_of_somebody_deactivated_lets_nobody_in(alice, bob, workstation):
    share(alice, workstation)
    factories.update(alice, is_active=False)
    assert find_kinds(bob, models.Workstation.objects.get()) == set()


def test_two_shares_at_once_leave_one(alice, bob, workstation):
    made = crowd.run_together(*[lambda: share(alice, workstation)] * 2)
    assert [type(one) for one in made] == [models.Share] * 2
    assert models.Share.objects.filter(ended_at=None).count() == 1
