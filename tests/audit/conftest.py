"""A record to tamper with."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from portal import agentstation, failures, models
from portal.db import clock
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import seals, verify
from portal.services.mirrors import missing
from portal.services.people import membership
from portal.services.reports import usage
from portal.services.requests import dispatch
from portal.services.retention import prune
from tests import factories


@pytest.fixture(name="seal")
def make_seal() -> Callable[[], int]:
    return lambda: factories.acquire_lease(name="seal").run(seals.seal_events)


@pytest.fixture
def small_batches(monkeypatch) -> None:
    monkeypatch.setattr(seals, "BATCH", 5)  # events in a seal, so that a test has several


@pytest.fixture
def much_later(monkeypatch, settings) -> Callable[[], None]:
    """Each time it is called, what the portal reads from the database's clock is forty days later from then on."""
    settings.PORTAL_KEEP_DAYS = 30

    def wait() -> None:
        read_clock = clock.read_clock
        monkeypatch.setattr(clock, "read_clock", lambda: read_clock() + timedelta(days=40))

    return wait


@pytest.fixture
def grow_old(seal, much_later) -> Callable[[], None]:
    """Seals all there is, so that it is old enough to go; the newest seal, which stays, has another event."""

    def grow() -> None:
        seal()
        much_later()
        add_event()
        seal()

    return grow


@pytest.fixture(name="record")
def make_record(alice, bob, seal, small_batches) -> list[models.Event]:
    """Requests of two people, with all events sealed, in at least three seals. The first event tells of the key."""
    for number, person in enumerate((alice, bob, alice, bob), start=1):
        respond(factories.submit(person, note="for the demo"), uid=f"w{number}")
    respond(factories.submit(alice, workspace_uid="missing"), failure="422")
    seal()
    assert models.Seal.objects.count() >= 3
    assert find() == []
    return list(models.Event.objects.order_by("id"))


@pytest.fixture(name="cast")
def add_cast(record, alice, bob, olga, root) -> None:
    """Everybody is in the log, as the portal's own pages would have added them."""
    membership.record_set_up(person=root)
    for person in (alice, bob, olga):
        membership.record_addition(actor=root, target=person)
    assert find() == []


def add_event(target: str = "x") -> None:
    with transaction.atomic():
        audit.record(Verb.PROBE, target)


def respond(
    portal_request: models.Request, *, uid: str = "", failure: str = "", call: dispatch.Call | None = None
) -> models.Request:
    """Record what the provider would have said to this call, or else to one that claims the request now."""
    call = call or factories.claim()
    told = {"id": uid, "type": portal_request.type, "status": "active", "startedAt": "2026-11-25T08:00:00Z"}
    data = told | {"workspace": {"id": f"space-{uid}", "status": "active", "createdAt": "2026-11-25T08:00:00Z"}}
    body = json.dumps(data if uid else {"error": "refused", "message": "in the provider's words"}).encode()
    status = int(failure or 200)
    given = agentstation.Response(status=status, body=body, truncated=False, retry_after=None, error="", message="")
    value = agentstation.Workstation.from_dict(data) if uid else None
    told_failure = failures.CATALOGUE[failure] if failure else None
    factories.record(call, dispatch.Result(value=value, failure=told_failure, response=given))
    portal_request.refresh_from_db()
    return portal_request


def find(checkpoint: seals.Checkpoint | None = None) -> list[tuple[str, str]]:
    """What verifying finds, rows too: the kind, and of what."""
    return [(finding.kind, finding.what) for finding in verify.verify_log(checkpoint=checkpoint, rows=True).findings]


def find_in_chain(checkpoint: seals.Checkpoint | None = None) -> list[tuple[str, str]]:
    return [(finding.kind, finding.what) for finding in verify.verify_log(checkpoint=checkpoint).findings]


def tamper(sql: str, *values: Any) -> None:
    """As somebody who may do anything in the database would."""
    with factories.unprotected(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        assert cursor.rowcount > 0


def fail_to_verify(words: str, **options: Any) -> int:
    """What `verify_audit` ends with where it says this."""
    with pytest.raises(CommandError, match=words) as raised:
        call_command("verify_audit", **options)
    return raised.value.returncode


def count_usage() -> None:
    while factories.acquire_lease(name="usage").run(usage.count_days):
        pass


def prune_all() -> int:
    count_usage()
    return sum(iter(lambda: factories.acquire_lease(name="prune").run(prune.prune_old), 0))


def end_workstations() -> None:
    """As if the provider had said that it has none of them."""
    for stored in models.Workstation.objects.live():
        with transaction.atomic():
            missing.end_workstation(stored=stored, before=missing.describe_life(stored=stored))


def count_rows() -> dict[str, int]:
    kinds = (models.Request, models.Attempt, models.LateResponse, models.SearchEntry, models.Event)
    return {kind.__name__: kind.objects.count() for kind in kinds}
