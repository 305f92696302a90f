"""`python -m tests.bench.filling --requests 20000`: fills an empty, migrated database with signed and sealed history.

What became of a request follows from its place alone: with more of them there is more of the same. Stopped and called
again, it goes on.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import django
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model

if not apps.ready:  # models can be read only now
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

from django.contrib.auth.models import Group

from portal import models
from portal.db.connection import execute
from portal.models.event import Verb
from portal.services.audit import seals
from portal.services.key import accounts
from portal.services.runtime import leases
from portal.services.search import finding
from tests.signing import store_events, write_event

_FILLED = "fill-history"  # verb of the first event of a database that was filled
_MEMBERS, _DAYS, _BATCH, _LIVE = 10, 100, 1000, 100
_ENDINGS = {0: "503", 1: "no-answer", 2: "cancelled"}  # of ten requests; the others got a workstation
_S, _O = models.Request.Status, models.Attempt.Outcome


class Refused(Exception):
    """The database is not one to be filled; the message says why."""


def fill_history(*, requests: int, report: Callable[[str], None] = lambda _: None) -> None:
    """Fill an empty database, or go on where that was stopped. Raises Refused."""
    begin, step = _begin(requests), timedelta(days=_DAYS) / requests
    account = models.Account.objects.get()
    people = list(models.User.objects.filter(username__startswith="member-").order_by("username"))
    for first in range(models.Request.objects.count(), requests, _BATCH):
        places = range(first, min(first + _BATCH, requests))
        made = [
            _make_request(place, at=begin + place * step, account=account, requester=people[place // 10 % _MEMBERS])
            for place in places
        ]
        _write(made, live_from=begin + (requests - _LIVE) * step)
        report(f"{places.stop:,} of {requests:,} requests")
    _finish()


@transaction.atomic
def _begin(requests: int) -> datetime:
    if not settings.USING_SANDBOX:
        raise Refused("Only a portal with the sandbox is filled: set PORTAL_LOCAL=1, and no API key.")
    first = models.Event.objects.order_by("id").first()
    if first is None and not models.User.objects.exists():
        at = datetime.now(UTC) - timedelta(days=_DAYS + 1)
        first = write_event(at=at, verb=_FILLED, target="history", detail={"requests": requests})
        names = ["auditor", *(f"member-{number:02}" for number in range(_MEMBERS))]
        auditor, *members = models.User.objects.bulk_create(models.User(username=name, password="!") for name in names)
        Group.objects.get(name="Auditors").user_set.add(auditor)
        Group.objects.get(name="Members").user_set.add(*members)
        _make_account(at)
    elif first is None or first.verb != _FILLED or first.detail != {"requests": requests}:
        raise Refused("The database is not empty, or was filled with another number of requests.")
    return first.at


def _make_account(at: datetime) -> None:
    base_url = settings.AGENTSTATION_BASE_URL
    account = models.Account.objects.create(base_url=base_url, created_at=at, baseline_scan="DONE")
    models.Key.objects.create(account=account)
    fingerprint = accounts.fingerprint_key(account=account)
    credential = models.Credential.objects.create(
        account=account, fingerprint=fingerprint, base_url=base_url, is_sandbox=True, asked_at=at, accepted_at=at
    )
    target = models.name_target(credential)
    store_events([(models.Event(at=at, verb=Verb.FIRST_KEY, target=target, detail={}), [credential])])


def _make_request(place: int, *, at: datetime, **values: Any) -> models.Request:
    ending, tenth = _ENDINGS.get(place % 10, ""), place // 10
    took = 180.0 if place % 10 == 3 else 4.0
    statuses = {"": _S.SUCCEEDED, "cancelled": _S.CANCELLED}
    return models.Request(
        submission=uuid4(), type=models.Request.Type.values[tenth % len(models.Request.Type)],
        note=f"{'Payroll' if place % 10 == 4 else 'Regression'} test, build {place}",
        created_at=at, queued_at=at, ended_at=at + timedelta(seconds=took), took=took,
        status=statuses.get(ending, _S.FAILED), failure="" if ending in statuses else ending,
        was_unknown=ending == "no-answer", attempt_count=int(ending not in statuses), **values,
    )  # fmt: skip


@transaction.atomic
def _write(requests: list[models.Request], *, live_from: datetime) -> None:
    models.Request.objects.bulk_create(requests)
    attempts = models.Attempt.objects.bulk_create(_make_attempt(one) for one in requests if one.status != _S.CANCELLED)
    answered = [attempt.request for attempt in attempts if attempt.outcome == _O.SUCCEEDED]
    workstations = models.Workstation.objects.bulk_create(
        _make_workstation(one, is_live=one.created_at >= live_from) for one in answered
    )
    tried, started = {row.request_id: row for row in attempts}, {row.request_id: row for row in workstations}
    for one in requests:
        finding.save_text(number=one.pk, rows=filter(None, [one, tried.get(one.pk), started.get(one.pk)]))
    store_events(event for one in requests for event in _list_events(one, tried.get(one.pk), started.get(one.pk)))


def _make_attempt(one: Any) -> models.Attempt:
    outcome = {"": _O.SUCCEEDED, "no-answer": _O.UNKNOWN}.get(one.failure, _O.FAILED)
    answer = {"http_status": 503, "error": "Service Unavailable", "message": "Busy"} if one.failure == "503" else {}
    return models.Attempt(
        request=one, number=1, worker=f"worker-{one.pk % 4}", claimed_at=one.created_at, deadline_at=one.ended_at,
        ended_at=one.ended_at, outcome=outcome, failure=one.failure, key_fingerprint="5b1c0f7a93d2e864", **answer,
    )  # fmt: skip


def _make_workstation(request: Any, *, is_live: bool) -> models.Workstation:
    return models.Workstation(
        account=request.account, request=request, uid=f"w{uuid4().hex[:11]}", type=request.type, raw="{}",
        status="active" if is_live else "completed", created_at=request.ended_at, first_seen_at=request.ended_at,
        listed_at=request.ended_at, ended_at=None if is_live else request.ended_at,
    )  # fmt: skip


def _list_events(one: Any, attempt: Any, workstation: Any) -> Iterator[tuple[models.Event, Sequence[Model]]]:
    def record(verb: Verb, row: Model, *, changed: Model | None, at: datetime, **values: Any) -> Any:
        values |= {"target": models.name_target(row), "request_number": one.pk}
        return models.Event(at=at, verb=verb, **values), [changed] if changed else []

    who = {"actor_id": one.requester_id, "actor_name": one.requester.username, "address": "192.0.2.17"}
    yield record(Verb.SUBMIT, one, changed=one, at=one.created_at, detail={"type": one.type, "workspace": ""}, **who)
    if attempt is None:
        yield record(Verb.CANCEL, one, changed=None, at=one.ended_at, **who)
        return
    yield record(Verb.CLAIM, attempt, changed=attempt, at=one.created_at, detail={"worker": attempt.worker})
    answer = {"outcome": attempt.outcome, "failure": attempt.failure}
    yield record(Verb.RESPONSE, attempt, changed=workstation, at=one.ended_at, detail=answer)


def _finish() -> None:
    with connection.cursor() as cursor:
        lease = leases.acquire_lease(name="seal", holder=_FILLED, seconds=3600)
        assert lease is not None, "a worker uses this database"
        while lease.run(seals.seal_events):
            pass
        leases.drop_leases(holder=_FILLED)
        cursor.execute("VACUUM (ANALYZE)" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.filling", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    logging.getLogger("portal.services.audit.seals").setLevel(logging.WARNING)  # there are thousands
    try:
        if connection.vendor == "postgresql":  # what a batch writes takes longer to make than a page may take
            execute("SET idle_in_transaction_session_timeout = 0")
        fill_history(requests=parser.parse_args().requests, report=lambda words: print(words, flush=True))  # noqa: T201
    except Refused as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
