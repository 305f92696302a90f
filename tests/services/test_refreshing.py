"""Live workstations as the active list shows them, read singly where it does not, and missing where nothing does."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from portal import agentstation, models
from portal.db import clock, open_connection
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.mirrors import missing, refreshing, releases
from portal.services.runtime import clients, leases
from tests import factories, queries
from tests.agentstation import server
from tests.services.mirroring import response

pytestmark = pytest.mark.django_db(transaction=True)

READ, LIST = "GET /workstations/{id}", "GET /workstations"


def refresh(lease: leases.Lease) -> int:
    """A round in which all are due."""
    models.Workstation.objects.update(refresh_due_at=Now() - timedelta(seconds=1))
    return lease.run(refreshing.refresh_workstations, client=clients.make_client())


def list_verbs() -> list[str]:
    watched = ("missing", "found-again", "ended", "released")
    return list(models.Event.objects.filter(verb__in=watched).order_by("id").values_list("verb", flat=True))


def started(stored: models.Workstation) -> str:
    assert stored.created_at
    return stored.created_at.isoformat()


def read(stored: models.Workstation) -> agentstation.Workstation:
    return clients.make_client().retrieve_workstation(uid=stored.uid)


def make_due_in(stored: models.Workstation) -> float:
    now = clock.read_clock()
    return (models.Workstation.objects.get(pk=stored.pk).refresh_due_at - now).total_seconds()


# --- What is shown ---


@pytest.fixture
def unlisted(sandbox):
    """The provider's list has nothing, so that all are read singly."""
    sandbox.script({"on": LIST, "status": 200, "body": {"data": []}, "times": 99})


def test_refreshing_brings_files_logs_and_the_end(sandbox, unlisted, alice, lease):
    workstation = factories.create_workstation(alice)
    shown = response(id=workstation.uid, startedAt=started(workstation))
    sandbox.script([{"on": READ, "status": 200, "body": body} for body in (shown, shown | {"status": "completed"})])
    refresh(lease)
    assert models.File.objects.filter(uid="f1").exists()
    assert models.Log.objects.filter(uid="l1").exists()

    refresh(lease)
    workstation.refresh_from_db()
    assert (workstation.status, workstation.is_live) == ("completed", False)
    assert list_verbs() == ["ended"]


def test_one_that_cannot_be_refreshed_is_left_for_a_minute_and_others_are_read(sandbox, unlisted, alice, lease):
    first, *others = (factories.create_workstation(alice) for _ in range(3))
    models.Workstation.objects.update(refresh_due_at=Now() - timedelta(seconds=1))
    models.Workstation.objects.filter(pk=first.pk).update(refresh_due_at=Now() - timedelta(seconds=2))
    sandbox.script({"on": READ, "status": 500, "body": {"error": "e", "message": "m"}})

    for due in (3, 2):
        assert lease.run(refreshing.refresh_workstations, client=clients.make_client()) == due

    first.refresh_from_db()
    assert first.is_live
    assert make_due_in(first) > 50
    assert all(0 < make_due_in(other) < 50 for other in others)


def test_a_response_about_another_workstation_shows_nothing(sandbox, unlisted, alice, lease):
    workstation = factories.create_workstation(alice)
    sandbox.script({"on": READ, "status": 200, "body": response(id="another", status="completed")})
    refresh(lease)
    assert make_due_in(workstation) > 50
    assert models.Workstation.objects.get().is_live


@pytest.mark.parametrize(("status", "count"), [("401", 0), ("402", 1)])
def test_only_a_key_that_is_refused_reads_nothing(sandbox, alice, lease, status, count):
    factories.create_workstation(alice)
    factories.send_until_settled(factories.submit(alice, workspace_uid=f"fail-{status}"))
    assert models.Key.objects.get().is_paused
    assert refresh(lease) == count


@pytest.mark.parametrize(("on", "left"), [(LIST, {READ: 9}), (READ, {READ: 9})])
def test_after_a_rate_limit_nothing_more_is_read(sandbox, alice, lease, on, left):
    factories.create_workstations(alice, 3)
    lists = [] if on == LIST else [{"on": LIST, "status": 404}]
    sandbox.script([*lists, {"on": on, "status": 429}, {"on": READ, "delay": 0, "times": 9}])
    refresh(lease)
    assert sandbox.count_left() == left
    assert all(make_due_in(stored) > 50 for stored in models.Workstation.objects.all())


def test_under_a_pace_reading_takes_no_more_than_its_share(sandbox, alice, settings, lease):
    factories.create_workstations(alice, 3)
    settings.PORTAL_CALLS_PER_MINUTE = 6
    refresh(lease)
    assert all(25 < make_due_in(stored) <= 30 for stored in models.Workstation.objects.all())


def test_many_are_read_from_the_list_in_few_calls(sandbox, alice, lease):
    factories.create_workstations(alice, 25)
    sandbox.script([{"on": READ, "status": 500, "times": 100}, {"on": LIST, "delay": 0, "times": 100}])

    assert refresh(lease) == 25

    assert sandbox.count_left() == {READ: 100, LIST: 98}
    assert all(make_due_in(stored) < 50 for stored in models.Workstation.objects.all())


def test_what_a_list_shows_without_its_workspace_is_read_singly(sandbox, alice, lease):
    """Else nothing would ever tell of its files and logs."""
    factories.create_workstations(alice, 3)
    sandbox.set_faults({"lists_without_workspace": 1})
    sandbox.script({"on": READ, "delay": 0, "times": 9})
    refresh(lease)
    assert sandbox.count_left() == {READ: 6}


def test_where_there_is_no_list_a_round_reads_some_singly_and_the_next_the_others(sandbox, alice, lease):
    factories.create_workstations(alice, 10)
    sandbox.script([{"on": LIST, "status": 404, "times": 9}, {"on": READ, "delay": 0, "times": 99}])
    refresh(lease)
    assert sandbox.count_left()[READ] == 91
    due = models.Workstation.objects.filter(refresh_due_at__lt=Now() - timedelta(seconds=0.5))
    assert due.count() == 2


def test_nothing_is_written_where_nothing_changed_but_when_it_was_read(sandbox, alice, lease):
    factories.create_workstations(alice, 5)
    refresh(lease)
    models.Workstation.objects.update(refresh_due_at=Now() - timedelta(seconds=1))

    asked = queries.record(lambda: lease.run(refreshing.refresh_workstations, client=clients.make_client()))
    written = [sql for sql in asked if sql.startswith(("UPDATE", "INSERT", "DELETE")) and "portal_lease" not in sql]
    assert len(written) == 1, "one for all of them"
    assert written[0].startswith('UPDATE "portal_workstation" SET "refreshed_at"')
    assert not any("FOR UPDATE" in sql and "portal_key" in sql for sql in asked)


def test_a_list_without_an_end_ends_the_round_all_the_same(settings, alice, lease):
    asked = []

    def handle(connection: server.Connection) -> None:
        asked.append(connection.read_request().split()[1].decode())
        page = {"data": [response(id=f"w{len(asked)}")], "next_cursor": f"c{len(asked)}"}
        connection.send(server.http(200, json.dumps(page).encode()))

    provider = server.Server(handle)
    settings.AGENTSTATION_BASE_URL = provider.url
    account = accounts.get_current_account()
    for number in range(1, 3):
        models.Workstation.objects.create(account=account, uid=f"w{number}")
    try:
        assert refresh(lease) == 2
    finally:
        provider.close()
    assert [path.partition("?")[0] for path in asked] == ["/v1/workstations"] * 2
    assert models.Workstation.objects.filter(status="active").count() == 2


def test_who_lost_the_lease_writes_nothing(sandbox, unlisted, alice, lease):
    workstation = factories.create_workstation(alice)
    sandbox.script({"on": READ, "status": 422})
    models.Lease.objects.update(token=lease.token + 1)
    with pytest.raises(leases.LeaseLost):
        refresh(lease)
    assert factories.reread(workstation).missing_since is None


# --- Missing ones ---


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=1)], ids=["within the grace", "after the grace"])
def test_one_whose_read_is_refused_is_missing_until_a_good_one(sandbox, unlisted, alice, lease, age):
    workstation = factories.create_workstation(alice)
    models.Workstation.objects.update(first_seen_at=Now() - age)
    sandbox.script({"on": READ, "status": 422, "times": 2})

    for _ in range(2):
        refresh(lease)
        assert 50 < make_due_in(workstation) <= 60
    workstation.refresh_from_db()
    assert workstation.is_live
    assert workstation.missing_since is not None
    assert models.Workstation.objects.live().filter(request__requester=alice).count() == 1

    refresh(lease)
    cleared = models.Workstation.objects.get()
    assert (cleared.is_live, cleared.missing_since) == (True, None)
    assert list_verbs() == ["missing", "found-again"]


def test_one_whose_release_is_asked_while_it_is_read_is_not_missing(sandbox, alice, lease):
    workstation = factories.create_workstation(alice)
    releases.request_release(actor=alice, workstation=workstation)
    lease.run(refreshing._store, workstation, None, account=accounts.get_current_account(), begun_tick=99)
    assert list_verbs() == []


def test_one_that_is_being_released_is_read_only_while_missing(sandbox, unlisted, alice, settings, lease):
    settings.PORTAL_RETRY_DELAY = 30.0
    workstation = factories.create_workstation(alice)
    releases.request_release(actor=alice, workstation=workstation)
    assert refresh(lease) == 0
    sandbox.script({"on": "DELETE", "status": 422})
    factories.send_releases()
    ended = response(id=workstation.uid, status="completed", startedAt=started(workstation))
    sandbox.script({"on": READ, "status": 200, "body": ended})
    assert refresh(lease) == 1
    assert list_verbs() == ["missing", "released"]


def test_only_after_a_missing_day_a_person_may_say_that_it_has_ended(sandbox, unlisted, alice, lease):
    workstation = factories.create_workstation(alice)
    with pytest.raises(missing.NotMissing):
        missing.declare_ended(actor=alice, workstation=workstation)
    sandbox.script({"on": READ, "status": 422})
    refresh(lease)
    models.Workstation.objects.update(missing_since=Now() - timedelta(hours=23))
    with pytest.raises(missing.NotMissing):
        missing.declare_ended(actor=alice, workstation=workstation)

    models.Workstation.objects.update(missing_since=Now() - timedelta(hours=25))
    missing.declare_ended(actor=alice, workstation=workstation)

    assert not factories.reread(workstation).is_live
    assert list_verbs() == ["missing", "ended"]


def test_what_cannot_be_stored_stops_no_other(sandbox, alice, lease, caplog):
    workstations = factories.create_workstations(alice, 3)
    account, shown = accounts.get_current_account(), [read(workstation) for workstation in workstations]
    shown[1] = replace(shown[1], status=None)  # type: ignore[arg-type]  # which no column takes
    models.Workstation.objects.update(status="elsewhere")
    models.Workspace.objects.update(status="elsewhere")

    for stored, entry in zip(workstations, shown, strict=True):
        lease.run(refreshing._store, stored, entry, account=account, begun_tick=99)

    statuses = models.Workstation.objects.order_by("pk").values_list("status", flat=True)
    assert [status == "elsewhere" for status in statuses] == [False, True, False]
    of_spaces = models.Workspace.objects.order_by("pk").values_list("status", flat=True)
    assert [status == "elsewhere" for status in of_spaces] == [False, True, False], "half of it was stored"
    assert f"workstation {workstations[1].uid} could not be stored" in caplog.text


def test_what_changed_meanwhile_is_not_overwritten(sandbox, alice, lease):
    ended, lost, moved = (factories.create_workstation(alice) for _ in range(3))
    account, shown = accounts.get_current_account(), {one: read(one) for one in (ended, lost, moved)}
    models.Workstation.objects.update(status="elsewhere")
    of = models.Workstation.objects.filter
    of(pk=ended.pk).update(ended_at=Now())
    of(pk=lost.pk).update(missing_since=Now(), missing_tick=account.key.tick + 1)
    of(pk=moved.pk).update(workspace=factories.get_workspace(lost))

    for stored, entry in shown.items():
        lease.run(refreshing._store, stored, entry, account=account, begun_tick=account.key.tick)

    assert of(status="elsewhere").get() == ended
    assert of(missing_since__isnull=False).get() == lost, "it was missed after the reading began"
    assert of(pk=moved.pk).get().workspace == factories.get_workspace(moved), "it is in the one that is shown with it"
    assert list_verbs() == []


@pytest.mark.parametrize("on", [LIST, READ])
def test_another_that_has_its_id_by_now_ends_it_and_leaves_its_row_alone(sandbox, alice, lease, on):
    workstation = factories.create_workstation(alice)
    other = response(id=workstation.uid)
    body = {"data": [other]} if on == LIST else other
    sandbox.script([{"on": LIST, "status": 200, "body": {"data": []}}] * (on == READ))
    sandbox.script({"on": on, "status": 200, "body": body})
    refresh(lease)
    former = factories.reread(workstation)
    assert (former.is_live, former.raw, former.workspace_id) == (False, workstation.raw, workstation.workspace_id)
    assert list_verbs() == ["ended"]
    assert not models.File.objects.filter(uid="f1").exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows")
def test_one_that_somebody_else_writes_to_stays_due_and_keeps_nobody_waiting(sandbox, alice, lease):
    busy, free = (factories.create_workstation(alice) for _ in range(2))
    refresh(lease)
    models.Workstation.objects.update(refresh_due_at=Now() - timedelta(minutes=1))
    with open_connection() as other, other.transaction():
        other.execute(f"SELECT FROM portal_workstation WHERE id = {busy.pk} FOR UPDATE")
        lease.run(refreshing.refresh_workstations, client=clients.make_client())
    assert make_due_in(busy) < 0 < make_due_in(free)
