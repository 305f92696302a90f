"""What is old enough goes by the worker's duty; what stays is verified as before, and that nothing else went too."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.audit import canonical, seals, verify
from portal.services.people import people
from portal.services.reconciliation import operator_actions
from portal.services.reports import configuration, usage
from portal.services.requests import submissions
from portal.services.retention import prune
from portal.services.runtime import leases
from tests import factories, plans
from tests.admin import rows
from tests.audit.conftest import (
    count_rows,
    count_usage,
    end_workstations,
    find,
    find_in_chain,
    prune_all,
    respond,
    tamper,
)
from tests.audit.damage import change_columns
from tests.signing import store_events

pytestmark = pytest.mark.django_db


@pytest.fixture(name="old")
def make_old(record, grow_old) -> list[int]:
    end_workstations()
    grow_old()
    return list(models.Request.objects.order_by("id").values_list("id", flat=True))


# --- What goes ---


def test_what_is_old_goes_and_the_rest_is_as_it_was_sealed(old, seal, settings, capsys):
    before = count_rows()
    for days in (None, 41):
        settings.PORTAL_KEEP_DAYS = days
        assert (prune_all(), count_rows()) == (0, before)
    settings.PORTAL_KEEP_DAYS = 30
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    sealed = sum(models.Seal.objects.values_list("count", flat=True))

    assert prune_all()

    gone = dict.fromkeys(("Request", "Attempt", "LateResponse", "SearchEntry"), 0)
    assert count_rows() == gone | {"Event": models.Event.objects.filter(verb="prune").count() + 1}
    assert models.Change.objects.exclude(event_id__in=models.Event.objects.values("pk")).count() == 0
    assert models.Seal.objects.get().number == checkpoint.number
    assert find(checkpoint) == []
    seal()
    assert find(checkpoint) == []
    call_command("verify_audit")
    assert f"Pruned: {sealed - 1} events, as tombstones say." in capsys.readouterr().out


def test_what_has_gone_does_not_come_back_unseen(old, record):
    tables = {"event": "id", "change": "event_id"}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM portal_{table}")
    prune_all()
    assert find() == []
    for kept in (["event", "change"], ["change"]):
        with transaction.atomic():
            for table in kept:
                tamper(
                    f"INSERT INTO portal_{table} SELECT * FROM kept_{table} WHERE {tables[table]} = %s", record[1].pk
                )
            assert f"event {record[1].pk}" in [what for _, what in find()]
            transaction.set_rollback(True)


def test_tombstones_and_their_events_name_what_went(old):
    events = list(models.Event.objects.order_by("id").values_list("id", flat=True))
    owned = list(models.Workstation.objects.order_by("id").values_list("id", flat=True))
    prune_all()
    by_kind = {tombstone.kind: tombstone for tombstone in models.Tombstone.objects.all()}
    requests, stations, of_events = (by_kind[kind] for kind in ("REQUESTS", "WORKSTATIONS", "EVENTS"))
    assert (requests.ids, requests.counts) == (old, {"request": 5, "attempt": 5, "late-response": 0})
    assert (stations.ids, stations.counts) == (owned, {"workstation": 4, "share": 0})
    assert (of_events.ids, of_events.kept) == (canonical.pack_ranges(numbers=events[:-1]), [])
    assert of_events.counts == {"event": len(events) - 1}
    assert of_events.seal_digest == models.Seal.objects.get().previous
    first = models.Event.objects.filter(verb="prune").earliest("id")
    assert (first.verb, first.actor_id, first.target) == ("prune", None, f"tombstone {requests.pk}")
    assert first.detail["requests"] == {"tombstone": requests.pk, "counts": requests.counts}


def test_rounds_are_short_and_go_on(old, monkeypatch):
    monkeypatch.setattr(prune, "REQUESTS_AT_ONCE", 2)
    monkeypatch.setattr(prune, "REQUEST_BATCHES", 1)
    monkeypatch.setattr(prune, "EVENT_BATCHES", 1)
    monkeypatch.setattr(prune, "EVENTS_AT_ONCE", 6)
    count_usage()
    left = []
    while factories.acquire_lease(name="prune").run(prune.prune_old):
        left.append(models.Request.objects.count())
        assert find() == []
    assert left[:3] == [3, 1, 0]
    assert models.Tombstone.objects.filter(kind="EVENTS").count() > 2


def test_a_worker_that_lost_its_duty_prunes_nothing(old):
    count_usage()
    lease = factories.acquire_lease(name="prune", holder="first", seconds=-1)
    assert leases.acquire_lease(name="prune", holder="second", seconds=60)
    before = count_rows()
    with pytest.raises(leases.LeaseLost):
        lease.run(prune.prune_old)
    assert count_rows() == before
    assert not models.Tombstone.objects.exists()


# --- What stays ---


def test_a_request_with_a_live_workstation_stays_with_all_its_history_until_that_ends(record, grow_old, much_later):
    grow_old()
    prune_all()
    assert models.Seal.objects.count() == 1
    live = set(models.Workstation.objects.values_list("request", flat=True))
    assert set(models.Request.objects.values_list("id", flat=True)) == live
    for number in live:
        verbs = list(models.Event.objects.filter(request_number=number).order_by("id").values_list("verb", flat=True))
        assert verbs == ["submit", "claim", "response"]
    assert find() == []
    kept = models.Event.objects.filter(request_number=min(live)).earliest("id").pk
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        models.Event.objects.filter(pk=kept)._raw_delete("default")
    with transaction.atomic():
        tamper("DELETE FROM portal_event WHERE id = %s", kept)
        assert ("removed", f"event {kept}") in find()
        transaction.set_rollback(True)

    end_workstations()
    much_later()
    assert prune_all()
    assert not models.Request.objects.exists()
    assert not models.Event.objects.filter(verb="submit").exists()
    assert find() == []


def test_what_is_open_stays_and_keeps_its_day_of_usage(record, seal, much_later, alice):
    unknown, attempt_id = factories.submit(alice), factories.claim().attempt_id
    ended = {"outcome": "UNKNOWN", "failure": "no-answer", "ended_at": Now()}
    models.Attempt.objects.filter(pk=attempt_id).update(**ended)
    models.Request.objects.filter(pk=unknown.pk).update(status="UNKNOWN", failure="no-answer", was_unknown=True)
    end_workstations()
    seal()
    much_later()
    before = count_rows()
    prune_all()
    assert count_rows() | {"Event": 0} == before | {"Event": 0}


def test_usage_still_counts_what_went(old, alice, settings):
    day = usage.get_day(at=models.Request.objects.earliest("id").created_at)
    prune_all()
    assert models.DailyCount.objects.filter(day=day, is_final=False).count() == 0
    for zone in ("UTC", "Asia/Tokyo"):
        settings.TIME_ZONE = zone
        count_usage()
        days = usage.read_usage(since=day, until=day, person=None)
        assert days[day]["status"] == {"SUCCEEDED": 4, "FAILED": 1}
        assert usage.read_usage(since=day, until=day, person=alice)[day]["status"] == {"SUCCEEDED": 2, "FAILED": 1}


def test_workspaces_and_settings_stay_and_workstations_as_bare_mirrors(record, grow_old):
    """A look would bring them back at once; so they are never new, and never a candidate for a request."""
    configuration.note_settings()
    end_workstations()
    grow_old()
    owned = dict(models.Workstation.objects.values_list("uid", "id"))
    prune_all()
    assert models.Workspace.objects.exclude(owner=None).count() == 4
    for stored in models.Workstation.objects.all():
        assert stored.pk > owned[stored.uid]
        assert (stored.request, stored.made_for, stored.release_requested_by) == (None, None, None)
        assert stored.is_foreign
        assert stored.listed_at
        assert stored.ended_at
    assert configuration.note_settings() == []
    assert find() == []


def test_rows_whose_events_went_are_not_judged_until_an_event_tells_of_them_again(record, cast, grow_old, alice):
    end_workstations()
    grow_old()
    before = verify.verify_log(rows=True).not_judged
    prune_all()
    report = verify.verify_log(rows=True)
    assert report.findings == []
    assert report.not_judged > before + 4
    tamper("UPDATE portal_user SET email = 'mallory@example.org' WHERE id = %s", alice.pk)
    assert find() == []
    people.set_time_zone(person=models.User.objects.get(pk=alice.pk), time_zone="Europe/Rome")
    assert verify.verify_log(rows=True).not_judged == report.not_judged - 1
    tamper("UPDATE portal_user SET email = '' WHERE id = %s", alice.pk)
    assert find() == [("row changed", f"person {alice.pk}")]


def test_a_request_with_a_late_workstation_goes_when_all_of_it_is_old(record, seal, much_later, alice, olga, settings):
    """An operator has released the orphan: events that belong to no request tell of that."""
    late = factories.submit(alice)
    settings.PORTAL_SEND_MARGIN = settings.PORTAL_RECORD_MARGIN = settings.AGENTSTATION_TOTAL_TIMEOUT = 0.0
    call = factories.claim()
    factories.expire_overdue(lease=factories.acquire_lease(name="recover"))
    submissions.close_request(actor=olga, portal_request=late, reason="nobody waits for it")
    respond(late, call=call, uid="late")
    orphan = models.Workstation.objects.get(made_for=late)
    operator_actions.release_orphan(actor=olga, workstation=orphan, reason="nobody needs it")
    end_workstations()
    assert find() == []
    seal()
    much_later()

    prune_all()

    assert not models.Request.objects.exists()
    assert orphan.pk in models.Tombstone.objects.get(kind="WORKSTATIONS").ids
    assert models.Tombstone.objects.get(kind="REQUESTS").counts["late-response"] == 1
    assert find() == []


# --- Tampering with tombstones ---


def forge(first_id: int, **values: object) -> models.Tombstone:
    return models.Tombstone.objects.create(first_id=first_id, last_id=first_id, **values)


def name(tombstone: models.Tombstone) -> tuple[str, str]:
    return ("tombstone", f"tombstone {tombstone.pk}")


def test_a_forged_tombstone_is_named_and_hides_nothing(old, record):
    """It lets the database delete what it names; verifying names both."""
    tombstone = forge(record[0].pk, kind="EVENTS", seal_number=1)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_event WHERE id = %s", [record[0].pk])
        cursor.execute("DELETE FROM portal_seal WHERE number = 1")
    found = find()
    assert found[:2] == [name(tombstone), ("seal", "seal 1")]
    assert ("removed", f"event {record[0].pk}") in found
    assert ("row inserted", f"tombstone {tombstone.pk}") in found

    gone = models.Request.objects.get(workstation=None)
    tombstone = forge(gone.pk, kind="REQUESTS", ids=[gone.pk])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_attempt WHERE request_id = %s", [gone.pk])
        cursor.execute("DELETE FROM portal_searchentry WHERE request_id = %s", [gone.pk])
        cursor.execute("DELETE FROM portal_request WHERE id = %s", [gone.pk])
    assert {name(tombstone), ("row removed", f"request R-{gone.pk}")} < set(find())


def test_a_tombstone_that_was_changed_copied_over_or_removed_is_missed(old, seal):
    prune_all()
    tombstone = models.Tombstone.objects.get(kind="EVENTS")
    for column in change_columns(models.Tombstone, tombstone.pk, [*models.Tombstone.AUDITED, "signature"]):
        assert find_in_chain()[0][0] == "tombstone", column
    assert find() == []

    first = models.Seal.objects.latest("number").number
    seal()
    second = models.Seal.objects.latest("number")
    with transaction.atomic():
        tamper("UPDATE portal_tombstone SET seal_number = %s, seal_digest = %s", second.number, second.digest)
        assert {name(tombstone), ("seal", f"seals 1 to {first}")} & set(find())
        transaction.set_rollback(True)
    tamper("DELETE FROM portal_tombstone WHERE id = %s", tombstone.pk)
    found = find()
    assert ("row removed", f"tombstone {tombstone.pk}") in found
    assert ("seal", f"seals 1 to {first - 1}") in found


def test_a_checkpoint_that_was_pruned_proves_nothing(old):
    stored = models.Seal.objects.earliest("number")
    older, last = seals.Checkpoint(number=1, digest=stored.digest), models.Seal.objects.order_by("-number")[1]
    prune_all()
    assert find(older) == [("key", "seal 1")]
    assert find(seals.Checkpoint(number=last.number, digest=last.digest)) == []
    assert find(seals.Checkpoint(number=last.number, digest="x")) == [("checkpoint", f"seal {last.number}")]


# --- Between ---


def test_a_crash_leaves_nothing_half(old, monkeypatch):
    """After the tombstone and its event, before all has gone: the next round begins anew."""
    count_usage()
    before, delete = count_rows(), prune._delete

    def crash(kind, ids):
        if kind == "workstation":
            raise ConnectionError
        delete(kind, ids)

    with monkeypatch.context() as patch:
        patch.setattr(prune, "_delete", crash)
        with pytest.raises(ConnectionError), transaction.atomic():
            factories.acquire_lease(name="prune").run(prune.prune_old)
    assert count_rows() == before
    assert not models.Tombstone.objects.exists()
    assert find() == []
    assert prune_all()
    assert find() == []


def test_pruning_while_the_record_is_verified_raises_no_false_alarm(old, monkeypatch):
    read_seals = seals.read_seals
    pruned: list[int] = []

    def interrupt(*, after, limit):
        found = read_seals(after=after, limit=1)
        if found and found[0].number == 2 and not pruned:
            pruned.append(prune_all())
        return found

    monkeypatch.setattr(seals, "read_seals", interrupt)
    assert find() == []
    assert pruned[0]


# --- Pages ---


# --- How PostgreSQL finds what may go: in a large record no question walks through a table ---


@pytest.fixture(name="lease")
def make_long_record(alice, settings, monkeypatch) -> leases.Lease:
    """Requests, each with an attempt and an event; ten of them are old enough to go."""
    settings.PORTAL_KEEP_DAYS = 30
    account, now = rows.create_account(), timezone.now()
    settings.AGENTSTATION_BASE_URL = account.base_url
    monkeypatch.setattr(seals, "BATCH", 10)
    moments = [now - timedelta(days=90 if number < 10 else 1, seconds=300 - number) for number in range(300)]
    common: dict[str, Any] = {"account": account, "requester": alice, "type": "python", "status": "SUCCEEDED"}
    made = models.Request.objects.bulk_create(
        models.Request(submission=uuid4(), created_at=moment, ended_at=moment, took=0, **common) for moment in moments
    )
    own: dict[int, list[Model]] = {}
    for request in made[:60]:
        attempt = rows.create_attempt(request, claimed_at=request.created_at, deadline_at=request.created_at)
        station = rows.create_workstation(request, ended_at=request.created_at + timedelta(seconds=9))
        own[request.pk] = [attempt, station]
    store_events(
        (
            models.Event(verb="submit", target=str(request), request_number=request.pk, at=request.created_at),
            [request, *own.get(request.pk, [])],
        )
        for request in made
    )
    factories.acquire_lease(name="seal").run(seals.seal_events)
    with factories.unprotected():
        models.Seal.objects.filter(number=1).update(made_at=now - timedelta(days=90))
    count_usage()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    plans.forbid_walks()
    return factories.acquire_lease(name="prune")


@plans.on_postgresql
def test_no_question_of_the_duty_walks_through_a_table(lease):
    with CaptureQueriesContext(connection) as queries:
        assert [lease.run(prune.prune_old) for _ in range(3)] == [10, 10, 0]
    statements = [query["sql"] for query in queries if re.match("SELECT|DELETE|UPDATE", query["sql"])]
    assert len(statements) > 20
    large = {*plans.LARGE, *(f"portal_{name}" for name in ("lateresponse", "change", "seal", "tombstone"))}
    assert [sql for sql in statements if plans.list_walked(sql) & large] == []
