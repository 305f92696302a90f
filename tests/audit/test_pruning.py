"""What is old enough goes by the worker's duty; what stays is verified as before, and that nothing else went too."""

import json
import random

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from portal import models
from portal.models.clock import Now
from portal.services.audit import seals, verify
from portal.services.reconciliation import operator_actions
from portal.services.reports import configuration, usage
from portal.services.requests import submissions
from portal.services.retention import events as pruneevents
from portal.services.retention import prune
from portal.services.retention import requests as prunerequests
from portal.services.runtime import leases
from portal.services.search import exporting, finding
from tests import factories
from tests.audit.bits import flip_rows
from tests.audit.changing import change_by_form
from tests.audit.conftest import find, record_response, respond, tamper
from tests.audit.pruning import count_prunings, count_rows, end_workstations, prune_all

pytestmark = pytest.mark.django_db


@pytest.fixture(name="old")
def make_old(record, seal, much_later) -> list[int]:
    """The numbers of requests that are all old, ended and sealed."""
    end_workstations()
    seal()
    much_later()
    return list(models.Request.objects.order_by("id").values_list("id", flat=True))


# --- What goes ---


def test_what_is_old_goes_and_the_rest_is_as_it_was_sealed(old, record, seal):
    before = models.Seal.objects.count()
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    sealed = sum(models.Seal.objects.values_list("count", flat=True))

    assert prune_all()

    assert count_rows() == {"Request": 0, "Attempt": 0, "LateResponse": 0, "SearchEntry": 0, "Event": count_prunings()}
    assert find(checkpoint) == []
    seal()
    assert find(checkpoint) == []
    assert models.Seal.objects.count() > before
    assert verify.verify_log().pruned == sealed


@pytest.mark.parametrize("tables", [["event", "change"], ["change"]])
def test_what_has_gone_does_not_come_back_unseen(old, record, tables):
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM portal_{table}")
    prune_all()
    assert find() == []
    for table in tables:
        key = "id" if table == "event" else "event_id"
        tamper(f"INSERT INTO portal_{table} SELECT * FROM kept_{table} WHERE {key} = %s", record[1].pk)
    assert f"event {record[1].pk}" in [what for _, what in find()]


def test_tombstones_and_their_events_name_what_went(old):
    events = list(models.Event.objects.order_by("id").values_list("id", flat=True))
    owned = list(models.Workstation.objects.order_by("id").values_list("id", flat=True))
    prune_all()
    stones = {stone.kind: stone for stone in models.Tombstone.objects.all()}
    requests, stations, of_events = (stones[kind] for kind in ("REQUESTS", "WORKSTATIONS", "EVENTS"))
    assert (requests.ids, requests.counts) == (old, {"request": 5, "attempt": 5, "late-response": 0})
    assert (stations.ids, stations.counts) == (owned, {"workstation": 4, "share": 0})
    assert (of_events.first_id, of_events.last_id) == (events[0], events[-1])
    assert of_events.counts == {"event": len(events)}
    first = models.Event.objects.earliest("id")
    assert (first.verb, first.actor_id, first.target) == ("prune", None, f"tombstone {requests.pk}")
    assert first.detail["requests"] == {"tombstone": requests.pk, "counts": requests.counts}


def test_a_deletion_record_leads_to_its_event(old, anna, sign_in):
    prune_all()
    event = models.Event.objects.filter(verb="prune").earliest("id")
    stone = models.Tombstone.objects.get(kind="REQUESTS")
    browser = sign_in(anna)
    page = browser.get(reverse("admin:portal_tombstone_change", args=[stone.pk])).text
    assert f"deletion record {stone.pk}" in page
    assert f'href="/admin/portal/event/?target=tombstone+{stone.pk}">Events</a>' in page
    shown = browser.get(f"/admin/portal/event/?target=tombstone+{stone.pk}")
    assert list(shown.context["cl"].result_list) == [event]
    assert "named it in the deletion record" in " ".join(shown.text.split())


def test_nothing_goes_unless_it_is_asked_for(old, settings):
    settings.PORTAL_KEEP_DAYS = None
    before = count_rows()
    assert prune_all() == 0
    assert count_rows() == before


def test_nothing_young_goes(old, settings):
    settings.PORTAL_KEEP_DAYS = 41
    before = count_rows()
    assert prune_all() == 0
    assert count_rows() == before


def test_rounds_are_short_and_go_on(old, monkeypatch):
    monkeypatch.setattr(prunerequests, "BATCH", 2)
    monkeypatch.setattr(prune, "REQUEST_BATCHES", 1)
    monkeypatch.setattr(prune, "EVENT_BATCHES", 1)
    monkeypatch.setattr(pruneevents, "BATCH", 6)
    while usage.count_days(lease=factories.acquire_lease(name="usage")):
        pass
    left = []
    while prune.prune_old(lease=factories.acquire_lease(name="prune")):
        left.append(models.Request.objects.count())
        assert find() == []
    assert left[:3] == [3, 1, 0]
    assert models.Tombstone.objects.filter(kind="EVENTS").count() > 2


def test_a_worker_that_lost_its_duty_prunes_nothing(old):
    while usage.count_days(lease=factories.acquire_lease(name="usage")):
        pass
    lease = factories.acquire_lease(name="prune", holder="first", seconds=-1)
    assert leases.acquire_lease(name="prune", holder="second", seconds=60)
    before = count_rows()
    with pytest.raises(leases.LeaseLost):
        prune.prune_old(lease=lease)
    assert count_rows() == before
    assert not models.Tombstone.objects.exists()


# --- What stays ---


def test_a_request_with_a_live_workstation_stays_with_all_its_history(record, seal, much_later):
    much_later()
    prune_all()
    live = set(models.Workstation.objects.values_list("request", flat=True))
    assert set(models.Request.objects.values_list("id", flat=True)) == live
    for number in live:
        verbs = list(models.Event.objects.filter(request_number=number).order_by("id").values_list("verb", flat=True))
        assert verbs == ["submit", "claim", "response"]
    assert find() == []


def test_what_is_open_stays_and_keeps_its_day_of_usage(record, seal, much_later, alice):
    unknown = factories.submit(alice)
    models.Attempt.objects.filter(pk=factories.claim().attempt_id).update(
        outcome="UNKNOWN", failure="no-answer", ended_at=Now()
    )
    models.Request.objects.filter(pk=unknown.pk).update(status="UNKNOWN", failure="no-answer", was_unknown=True)
    end_workstations()
    seal()
    much_later()
    before = count_rows()
    assert prune_all() == 0
    assert count_rows() == before


def test_usage_still_counts_what_went(old, alice, settings):
    day = usage.get_day(at=models.Request.objects.earliest("id").created_at)
    prune_all()
    assert models.DailyCount.objects.filter(day=day, is_final=False).count() == 0
    for zone in ("UTC", "Asia/Tokyo"):
        settings.TIME_ZONE = zone
        while usage.count_days(lease=factories.acquire_lease(name="usage")):
            pass
        days = usage.read_days(days={day}, person=None)
        assert days[day]["status"] == {"SUCCEEDED": 4, "FAILED": 1}
        assert usage.read_days(days={day}, person=alice)[day]["status"] == {"SUCCEEDED": 2, "FAILED": 1}


def test_workspaces_stay_and_workstations_as_bare_mirrors(old):
    """A look would bring them back at once; so they are never new, and never a candidate for a request."""
    owned = dict(models.Workstation.objects.values_list("uid", "id"))
    prune_all()
    assert models.Workspace.objects.exclude(owner=None).count() == 4
    for stored in models.Workstation.objects.all():
        assert stored.pk > owned[stored.uid]
        assert (stored.request, stored.made_for, stored.release_requested_by) == (None, None, None)
        assert stored.is_foreign
        assert stored.listed_at
        assert stored.ended_at


def test_the_newest_settings_stay(old, seal):
    configuration.note_settings()
    seal()
    prune_all()
    assert configuration.note_settings() == []


@pytest.mark.parametrize(
    ("kind", "table", "change"),
    [
        ("person", "portal_user", "email = 'mallory@example.org'"),
        ("workspace", "portal_workspace", "owner_id = NULL"),
        ("key", "portal_key", "paused_at = '2020-02-02 02:02:02.000002'"),
        ("tombstone", "portal_tombstone", "counts = '{}'"),
    ],
)
def test_rows_that_stay_can_be_verified_although_their_events_went(
    record, cast, seal, much_later, alice, root, sign_in, kind, table, change
):
    """Thrice over: what was carried once is carried on when its event goes in its turn."""
    change_by_form(sign_in(root), alice, first_name="Alice")
    respond(factories.submit(alice), failure="401")
    end_workstations()
    seal()
    for _ in range(3):
        much_later()
        prune_all()
        seal()
    assert not models.Event.objects.exclude(verb="prune").exists()
    assert find() == []
    row_id = models.Tombstone.objects.earliest("id").pk if kind == "tombstone" else find_first(table)
    row_id = alice.pk if kind == "person" else row_id
    tamper(f"UPDATE {table} SET {change} WHERE id = %s", row_id)
    assert ("row changed", f"{kind} {row_id}") in find()


def find_first(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) FROM {table}")
        return cursor.fetchone()[0]


# --- What somebody changed is not hidden by pruning ---


def test_a_request_that_was_changed_stays(old, caplog):
    tamper("UPDATE portal_attempt SET message = 'another' WHERE request_id = %s", old[0])
    prune_all()
    assert models.Request.objects.get().pk == old[0]
    assert f"not as events have left them: R-{old[0]}." in caplog.text
    attempt = models.Attempt.objects.get()
    assert find() == [("row changed", f"attempt {attempt.pk}")]


def test_events_that_were_changed_stay(old, record, caplog):
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", record[6].pk)
    prune_all()
    assert models.Event.objects.filter(pk=record[6].pk).exists()
    assert "The events of seal 2 are not pruned: they are not as they were sealed." in caplog.text
    assert find() == [("changed", f"event {record[6].pk}")]


def test_the_events_of_a_request_that_was_removed_stay(old, caplog):
    gone = models.Request.objects.get(workstation=None)
    tamper("DELETE FROM portal_attempt WHERE request_id = %s", gone.pk)
    tamper("DELETE FROM portal_request WHERE id = %s", gone.pk)
    before = find()
    assert ("row removed", f"request R-{gone.pk}") in before
    prune_all()
    assert find() == before
    assert f"are not pruned: R-{gone.pk} was removed." in caplog.text


def test_a_request_with_a_late_workstation_goes_when_all_of_it_is_old(record, seal, much_later, alice, olga, settings):
    """An operator has released the orphan: events that belong to no request tell of that."""
    late = factories.submit(alice)
    settings.PORTAL_SEND_MARGIN = settings.PORTAL_RECORD_MARGIN = settings.AGENTSTATION_TOTAL_TIMEOUT = 0.0
    call = factories.claim()
    factories.recover_requests(lease=factories.acquire_lease(name="recover"))
    submissions.close_request(actor=olga, portal_request=late, reason="nobody waits for it")
    record_response(call, late, uid="late")
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


def test_an_event_that_no_tombstone_names_is_missed(old, seal):
    prune_all()
    seal()
    first = models.Event.objects.earliest("id")
    tamper("DELETE FROM portal_event WHERE id = %s", first.pk)
    assert ("removed", f"event {first.pk}") in find()


def test_a_forged_tombstone_is_named_and_hides_nothing(record):
    """It lets the database delete what it names; verifying names both."""
    stone = models.Tombstone.objects.create(kind="EVENTS", first_id=record[0].pk, last_id=record[1].pk)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_event WHERE id <= %s", [record[1].pk])
    found = find()
    assert found[:2] == [("removed", f"event {record[0].pk}"), ("removed", f"event {record[1].pk}")]
    assert ("row inserted", f"tombstone {stone.pk}") in found


def test_a_forged_tombstone_of_requests_hides_nothing(old, record):
    gone = models.Request.objects.get(workstation=None)
    stone = models.Tombstone.objects.create(kind="REQUESTS", first_id=gone.pk, last_id=gone.pk, ids=[gone.pk])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_attempt WHERE request_id = %s", [gone.pk])
        cursor.execute("DELETE FROM portal_request WHERE id = %s", [gone.pk])
    for _ in range(2):
        assert ("row removed", f"request R-{gone.pk}") in find()
        assert ("row inserted", f"tombstone {stone.pk}") in find()
        prune_all()


def test_an_event_that_was_copied_for_a_forged_tombstone_does_not_help(old, record, seal):
    """Without the key nobody can write what an event must tell of a tombstone."""
    prune_all()
    real = models.Event.objects.latest("id")
    stone = models.Tombstone.objects.create(kind="EVENTS", first_id=real.pk, last_id=real.pk)
    change = models.Change.objects.get(event_id=real.pk, kind="tombstone")
    forged = models.Event.objects.create(
        pk=real.pk + 1, verb="prune", target=str(stone), signature=real.signature, detail=real.detail
    )
    change.event_id, change.row_id = forged.pk, stone.pk
    change.save(force_insert=True)
    seal()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_event WHERE id = %s", [real.pk])
    found = find()
    assert ("removed", f"event {real.pk}") in found
    assert ("inserted", f"event {forged.pk}") in found
    assert ("row inserted", f"tombstone {stone.pk}") in found


def test_a_tombstone_that_names_more_than_its_event_said_names_nothing(old, record, seal):
    prune_all()
    stone = models.Tombstone.objects.get(kind="EVENTS")
    tamper("UPDATE portal_tombstone SET last_id = last_id + 100 WHERE id = %s", stone.pk)
    found = find()
    assert ("row changed", f"tombstone {stone.pk}") in found
    assert ("removed", f"event {record[0].pk}") in found


def test_a_hundred_random_bits_in_tombstones_are_found(old, seal):
    prune_all()
    seal()
    assert find() == []
    told = {"tombstone": list(models.Tombstone.objects.values_list("id", flat=True))}
    for what in flip_rows(told, random.Random(13)):
        assert ("row changed", what) in find()
    assert find() == []


def test_a_tombstone_that_was_removed_is_missed(old, record):
    prune_all()
    stone = models.Tombstone.objects.get(kind="EVENTS")
    tamper("DELETE FROM portal_tombstone WHERE id = %s", stone.pk)
    found = find()
    assert ("row removed", f"tombstone {stone.pk}") in found
    assert ("removed", f"event {record[0].pk}") in found


# --- Between ---


def test_a_crash_leaves_nothing_half(old, monkeypatch):
    """After the tombstone and its event, before all has gone: the next round begins anew."""
    while usage.count_days(lease=factories.acquire_lease(name="usage")):
        pass
    before, delete = count_rows(), prunerequests._delete

    def crash(kind, ids):
        if kind == "workstation":
            raise ConnectionError
        delete(kind, ids)

    with monkeypatch.context() as patch:
        patch.setattr(prunerequests, "_delete", crash)
        with pytest.raises(ConnectionError), transaction.atomic():
            prune.prune_old(lease=factories.acquire_lease(name="prune"))
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
            pruned.append(0)  # to prune walks through the seals too
            pruned[0] = prune_all()
        return found

    monkeypatch.setattr(seals, "read_seals", interrupt)
    assert find() == []
    assert pruned[0]


def test_nothing_else_can_be_deleted(old):
    prune_all()
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        cursor.execute("DELETE FROM portal_event")


# --- Pages ---


def test_pages_go_on_without_what_went(old, alice, anna, root, sign_in):
    kept = respond(factories.submit(alice, note="kept"), uid="w9")
    prune_all()
    browser = sign_in(anna)
    assert browser.get(reverse("request_detail", args=[old[0]])).status_code == 404
    for name in ("home", "request_list", "usage", "workstation_list", "workspace_list"):
        assert browser.get(reverse(name)).status_code == 200, name
    mirror = models.Workstation.objects.latest("id")
    assert browser.get(reverse("workstation_detail", args=[mirror.uid])).status_code == 200
    for name in ("request", "event", "attempt", "workstation"):
        assert sign_in(root).get(reverse(f"admin:portal_{name}_changelist")).status_code == 200, name
    assert finding.find_requests(filters=finding.Filters(words=["demo"]), part=finding.Slice(limit=9)) == []
    body = b"".join(browser.post(reverse("request_export_jsonl")).streaming_content)
    assert body.count(b"\n") == 1
    assert f'"number": {kept.pk}'.encode() in body


def test_a_download_goes_on_without_what_went_meanwhile(old, anna, sign_in, monkeypatch):
    monkeypatch.setattr(exporting, "PAGES", (2, 2))
    pages = iter(sign_in(anna).post(reverse("request_export_jsonl")).streaming_content)
    first = next(pages)
    prune_all()
    lines = (first + b"".join(pages)).splitlines()
    assert [json.loads(line)["number"] for line in lines] == old[:-3:-1]


def test_verifying_says_how_many_were_pruned(old, capsys):
    count = models.Event.objects.count()
    prune_all()
    call_command("verify_audit")
    assert f"Pruned: {count} events of these, as authentic tombstones say." in capsys.readouterr().out
