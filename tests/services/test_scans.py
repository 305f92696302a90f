"""Scans: walks through the provider's lists in bounded rounds, kept whether they come to their end or not."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from portal import agentstation, models
from portal.db import clock
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.reconciliation import scans
from portal.services.runtime import clients, leases
from tests import factories
from tests.services.reconciling import ACTIVE, HISTORY, script_list
from tests.services.scanning import advance, entry, make_older, own, scan

pytestmark = pytest.mark.django_db(transaction=True)


class Watched(agentstation.Client):
    def __init__(self) -> None:
        self.__dict__.update(clients.make_client().__dict__)
        self.calls: list[tuple[bool, bool, bool]] = []

    def list_page(self, *, history=False, cursor="", limit):
        self.calls.append((history, connection.in_atomic_block, connection.connection is not None))
        return super().list_page(history=history, cursor=cursor, limit=limit)


def has_no_lists() -> bool:
    account = accounts.get_current_account()
    return scans.has_no_lists(account=account, now=clock.read_clock())


# --- A walk ---


def test_the_active_list_is_read_before_the_history_with_no_transaction_open(sandbox, lease):
    client = Watched()
    factories.mark_baseline_scan()
    scan(lease, client)
    holds = connection.vendor == "sqlite"
    assert client.calls == [(False, False, holds), (True, False, holds)]


def test_a_scan_says_when_it_was_and_how_much_it_saw(sandbox, lease):
    factories.mark_baseline_scan()
    script_list(sandbox, entry("W1"), entry("W2", workspace="S2"))
    script_list(sandbox, entry("W3", status="completed"), on=HISTORY)

    first = scan(lease)

    assert (first.is_complete, first.problem) == (True, "")
    assert first.ended_at is not None
    assert first.ended_tick is not None
    assert first.begun_at <= first.ended_at
    assert first.begun_tick < first.ended_tick == circuit_breaker.get_current_key().tick
    assert (first.active_count, first.history_count, first.new_count) == (2, 1, 3)
    stations = {row.uid: row for row in models.Workstation.objects.select_related("workspace")}
    assert [factories.get_workspace(stations[uid]).uid for uid in ("W1", "W2", "W3")] == ["S1", "S2", "S1"]
    assert [stations[uid].is_live for uid in ("W1", "W2", "W3")] == [True, True, False]
    for row in stations.values():
        assert row.listed_at is not None
        assert row.listed_tick is not None
        assert first.begun_tick < row.listed_tick <= first.ended_tick
    script_list(sandbox, entry("W1"))
    assert scan(lease).new_count == 0


def test_one_that_ends_while_the_lists_are_read_is_kept_once_and_has_ended(sandbox, lease):
    factories.mark_baseline_scan()
    script_list(sandbox, entry("W1"))
    script_list(sandbox, entry("W1", status="completed"), on=HISTORY)
    assert scan(lease).new_count == 1
    assert models.Workstation.objects.get().is_live, "the same scan has shown it as active"
    script_list(sandbox)
    script_list(sandbox, entry("W1", status="completed"), on=HISTORY)
    scan(lease)
    assert not models.Workstation.objects.get().is_live


def test_a_later_scan_does_not_say_that_it_was_the_first_to_show(sandbox, alice, lease):
    factories.create_workstation(alice)
    assert models.Workstation.objects.get().listed_at is None
    scan(lease)
    listed = models.Workstation.objects.get()
    assert listed.listed_at is not None
    later = scan(lease)
    again = models.Workstation.objects.get()
    assert (again.listed_at, again.listed_tick) == (listed.listed_at, listed.listed_tick)
    assert again.last_scan_id == later.pk


def test_another_worker_goes_on_where_the_first_one_stopped(lists, lease):
    lists.active = [entry(f"W{number}") for number in range(250)]
    lists.refuse = lambda number: (429, {"Retry-After": "0"}) if number == 2 else None
    advance(lease)
    models.Scan.objects.update(wait_until=None)
    models.Lease.objects.update(expires_at=Now())
    taken = leases.acquire_lease(name=lease.name, holder="another", seconds=60)
    assert taken is not None
    with pytest.raises(leases.LeaseLost):
        advance(lease)
    assert scan(taken).active_count == 250
    assert models.Scan.objects.count() == 1
    assert "cursor=100" in lists.calls[1]
    assert "cursor=100" in lists.calls[2]


def test_twenty_workstations_with_sixty_files_each_are_read(lists, lease):
    files = [{"id": f"F{number}", "name": "x" * 1_000} for number in range(60)]
    for number in range(20):
        space = {"id": f"S{number}", "status": "active", "files": {"object": "list", "data": files}}
        lists.active = [*lists.active, entry(f"W{number}") | {"workspace": space}]
    assert scan(lease).is_complete
    assert models.Workstation.objects.count() == 20
    assert "F59" not in models.Workstation.objects.get(uid="W0").raw, "what is nobody's keeps no files"


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_page_that_is_too_large_is_asked_for_in_halves_in_later_rounds_too(lists, lease, monkeypatch, is_cut):
    monkeypatch.setattr("portal.agentstation.client.LARGEST_PAGE", 160_000)
    lists.active = [entry(f"W{number}", padding="x" * 10_000) for number in range(40)]
    if is_cut:
        lists.refuse = lambda number: (429, {"Retry-After": "0"}) if number == 2 else None
        advance(lease)
        models.Scan.objects.update(wait_until=None)
    done = scan(lease)
    assert (done.is_complete, done.active_count, done.page_size) == (True, 40, 12)
    limits = [call.rpartition("=")[2] for call in lists.calls[:5]]
    assert limits == (["100", "50", "50", "25", "12"] if is_cut else ["100", "50", "25", "12", "12"])


def test_an_entry_that_is_too_large_alone_ends_the_scan_with_a_notice(lists, lease, monkeypatch):
    monkeypatch.setattr("portal.agentstation.client.LARGEST_PAGE", 160_000)
    lists.active = [entry("W1"), entry("W2", padding="x" * 170_000)]
    done = scan(lease)
    assert (done.is_complete, done.problem) == (False, "entry-too-large")
    assert models.Workstation.objects.get().uid == "W1"
    assert models.Notice.objects.filter(kind__contains="too large").count() == 1


def test_an_endless_list_ends_every_round_and_in_the_end_the_scan(lists, lease, monkeypatch):
    monkeypatch.setattr(scans, "_ROUND_CALLS", 20)
    lists.is_endless = True
    models.Account.objects.update(baseline_scan="WANTED")
    assert not advance(lease).is_over
    assert accounts.get_current_account().baseline_scan == "BEGUN", "from now on requests are sent"
    assert models.Scan.objects.get().pages <= 20
    models.Scan.objects.update(pages=9_990)
    done = scan(lease)
    assert (done.is_complete, done.problem, done.pages) == (False, "endless", 10_000)
    assert accounts.get_current_account().baseline_scan == "FAILED"


@pytest.mark.parametrize(
    ("cursors", "problem"),
    [
        (["1", "1"], "repeated-cursor"),
        (["1", "2", "1", "2"], "repeated-cursor"),
        (["1", "2", "3", "2", "3", "2", "3", "2"], "repeated-cursor"),
        (["\ud800"], "unusable-cursor"),
        (["a\0b"], "unusable-cursor"),
    ],
)
def test_a_circle_of_cursors_or_one_that_no_database_takes_ends_the_scan(sandbox, lease, cursors, problem):
    factories.mark_baseline_scan()
    for cursor in cursors:
        script_list(sandbox, entry("W1"), cursor=cursor)
    done = scan(lease)
    assert (done.is_complete, done.problem) == (False, problem)
    assert done.pages <= len(cursors)
    assert models.Workstation.objects.count() == 1


def test_a_429_in_the_middle_waits_and_goes_on_in_a_later_round(lists, lease):
    lists.active = [entry(f"W{number}") for number in range(250)]
    lists.refuse = lambda number: (429, {"Retry-After": "7"}) if number == 2 else None
    waiting = advance(lease)
    assert not waiting.is_over
    now = models.Account.objects.values_list(Now(), flat=True).get()
    wait_until = models.Scan.objects.get().wait_until
    assert timedelta(seconds=5) < wait_until - now <= timedelta(seconds=7)
    assert not advance(lease).is_over
    assert len(lists.calls) == 2, "it waits"
    models.Scan.objects.update(wait_until=Now())
    assert (scan(lease).is_complete, len(lists.calls)) == (True, 5)


def test_a_scan_that_takes_too_long_is_given_up(lists, lease):
    lists.refuse = lambda _: (429, {"Retry-After": "100000"})
    advance(lease)
    waiting = models.Scan.objects.get()
    assert waiting.wait_until is not None
    assert waiting.wait_until <= waiting.begun_at + timedelta(seconds=305)
    make_older(hours=2)
    assert scan(lease).problem == "took-too-long"


def test_reads_have_a_third_of_the_calls_a_minute(lists, lease, settings):
    settings.PORTAL_CALLS_PER_MINUTE = 90
    lists.active = [entry(f"W{number}") for number in range(3_000)]
    advance(lease)
    models.Scan.objects.update(paid_until=Now() - timedelta(seconds=5))
    before = len(lists.calls)
    advance(lease)
    assert len(lists.calls) - before == 2
    models.Scan.objects.update(paid_until=Now() - timedelta(hours=5))
    before = len(lists.calls)
    advance(lease)
    assert len(lists.calls) - before == 5, "what was saved up is not all used at once"
    models.Scan.objects.update(paid_until=Now() + timedelta(hours=1))
    advance(lease)
    assert models.Scan.objects.get().paid_until <= models.Account.objects.values_list(Now(), flat=True).get()


# --- How far the history is read ---


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def test_of_the_history_one_page_is_read_where_nothing_is_unknown(lists, lease):
    lists.history = [entry(f"W{number}", status="completed", startedAt=days_ago(0)) for number in range(500)]
    assert scan(lease).history_count == 100


def test_it_is_read_back_to_a_day_before_the_oldest_unknown_attempt(lists, alice, lease):
    factories.submit(alice)
    call = factories.claim()
    attempt = models.Attempt.objects.filter(pk=call.attempt_id)
    with factories.unprotected():
        attempt.update(claimed_at=Now() - timedelta(days=2))
    attempt.update(outcome="UNKNOWN", failure="no-answer", ended_at=Now())
    models.Request.objects.update(status="UNKNOWN", failure="no-answer", was_unknown=True)
    lists.history = [entry(f"W{day}", status="completed", startedAt=days_ago(day / 100)) for day in range(1_000)]
    assert scan(lease).history_count == 500


def test_it_is_read_until_it_shows_the_newest_end_of_ours(lists, alice, lease):
    own(alice, "W250")
    lists.active = [entry("W250")]
    scan(lease)
    factories.end_workstations()
    lists.active = []
    lists.history = [entry(f"W{number}", status="completed", startedAt=days_ago(9)) for number in range(500)]
    assert scan(lease).history_count == 300
    assert scan(lease).history_count == 100


# --- Ids, types and whatever else comes ---


def test_ugly_entries_do_not_break_a_scan_and_are_newcomers(lists, lease):
    lists.active = [
        entry("W1") | {"type": "py\x00thon", "status": None, "startedAt": "9999-12-31T23:59:59Z"},
        entry("W2") | {"workspace": {"id": "\ud800", "status": 5}},
        entry("x" * 201),
        entry("x" * 201, startedAt="2026-01-01T00:00:00Z"),
        entry("\x00"),
        entry("."),
        entry("") | {"id": 7},
        "nothing",
        entry("W3") | {"workspace": {"id": "S3", "files": {"data": [{"id": 5}, 7]}, "logs": "none"}},
        entry("W4") | {"size": 10**30, "startedAt": "0001-01-01"},
    ]
    seen = scan(lease)
    assert (seen.is_complete, seen.active_count, seen.new_count) == (True, 10, 10)
    named = models.Workstation.objects.filter(is_nameless=False)
    assert set(named.values_list("uid", flat=True)) == {"W1", "W2", "W3", "W4"}
    assert models.Workstation.objects.filter(is_nameless=True, uid__startswith="sha256:", ended_at=None).count() == 6
    assert models.Notice.objects.filter(kind__contains="cannot be kept").count() == 1
    assert models.Workstation.objects.live().filter(is_nameless=True).count() == 0, "nobody can ask about it"
    assert scan(lease).new_count == 0, "the same digests again"
    lists.active, lists.history = [], [entry("x" * 201, status="completed")]
    scan(lease)
    assert models.Workstation.objects.filter(is_nameless=True, ended_at=None).count() == 5


def test_a_thousand_entries_take_a_bounded_number_of_queries(lists, lease, django_assert_max_num_queries):
    lists.active = [entry(f"W{number}", workspace=f"S{number % 300}") for number in range(1_000)]
    with django_assert_max_num_queries(400):
        seen = scan(lease)
    assert (seen.problem, seen.active_count, seen.new_count) == ("", 1_000, 1_000)
    assert models.Workstation.objects.exclude(listed_at=None).exclude(workspace=None).count() == 1_000


# --- The account's first scan ---


def test_live_workstations_that_nobody_owns_are_orphans_but_for_older_ones(sandbox, lease):
    script_list(sandbox, entry("W1"))
    scan(lease)
    script_list(sandbox, entry("W1"), entry("W2"))
    script_list(sandbox, entry("W3", status="completed"), on=HISTORY)
    scan(lease)
    assert list(models.Workstation.objects.orphans().values_list("uid", flat=True)) == ["W2"]
    assert list(models.Workstation.objects.filter(is_foreign=True).values_list("uid", flat=True)) == ["W1"]


def test_which_scan_shows_it_is_noted_of_what_lives_or_ended_lately(lists, alice, lease):
    own(alice, "mine")
    lists.active = [entry("live", startedAt=days_ago(400))]
    lists.history = [
        entry("mine", status="completed"),
        entry("young", status="completed", startedAt=days_ago(0.5)),
        entry("old", status="completed", startedAt=days_ago(1.5)),
    ]
    done = scan(lease)
    shown = models.Workstation.objects.filter(last_scan_id=done.pk)
    assert set(shown.values_list("uid", flat=True)) == {"live", "mine", "young"}


def test_the_first_scan_reads_the_whole_history(lists, lease):
    models.Account.objects.update(baseline_scan="WANTED")
    lists.history = [entry(f"W{number}", status="completed", startedAt=days_ago(9)) for number in range(500)]
    assert scan(lease).history_count == 500
    assert models.Workstation.objects.filter(is_foreign=True).count() == 500
    assert accounts.get_current_account().baseline_scan == "DONE"


@pytest.mark.parametrize("state", ["BEGUN", "FAILED"])
def test_until_a_scan_has_ended_what_is_older_than_our_first_attempt_is_foreign(lists, alice, lease, state):
    factories.submit(alice)
    factories.claim()
    models.Account.objects.update(baseline_scan=state)
    lists.active = [
        entry("older", startedAt=days_ago(0.001)),
        entry("newer", startedAt=days_ago(-0.001)),
        entry("no-time"),
    ]
    scan(lease)
    assert list(models.Workstation.objects.filter(is_foreign=True).values_list("uid", flat=True)) == ["older"]
    assert accounts.get_current_account().baseline_scan == "DONE"


# --- Failures ---


@pytest.mark.parametrize(
    ("response", "problem", "has_lists"),
    [
        ({"status": 404}, "404 UnexpectedStatus", False),
        ({"status": 501}, "501 GatewayResponse", False),
        ({"status": 500}, "500 InternalError", True),
        ({"status": 401}, "401 InvalidKey", True),
        ({"status": 302}, "302 GatewayResponse", True),
        ({"status": 200, "body": "[]"}, "200 UnreadableResponse", True),
        ({"status": 200, "body": {"data": [], "next_cursor": 7}}, "200 UnreadableResponse", True),
        ({"name": "reset"}, "NoAnswer", True),
        ({"name": "truncate"}, "NoAnswer", True),
    ],
)
@pytest.mark.parametrize("on", [ACTIVE, HISTORY])
def test_a_scan_that_failed_is_kept_with_what_it_showed(sandbox, lease, on, response, problem, has_lists):
    script_list(sandbox, entry("W1"))
    sandbox.script({"on": on, "times": 4, **response})
    if on == ACTIVE:
        scan(lease)  # takes the good page
        models.Scan.objects.all().delete()
        models.Account.objects.update(baseline_scan="WANTED")

    failed = scan(lease)

    assert (failed.is_complete, failed.problem) == (False, problem)
    assert has_no_lists() is not has_lists
    assert models.Workstation.objects.get().is_foreign
    assert accounts.get_current_account().baseline_scan == "FAILED"


@pytest.mark.parametrize("name", ["fail-500", "fail-503", "garbage", "reset"])
def test_a_page_behind_the_first_is_asked_for_again_three_times_and_the_first_never(sandbox, lease, name):
    sandbox.script({"on": ACTIVE, "name": name})
    assert scan(lease).pages == 0
    script_list(sandbox, entry("W1"), cursor="next")
    scripted = {"on": ACTIVE, "times": 3, "name": name}
    sandbox.script(scripted)
    script_list(sandbox, entry("W2"))
    sandbox.script({**scripted, "on": HISTORY})

    seen = scan(lease)

    assert (seen.is_complete, seen.active_count, seen.failures) == (True, 2, 0)


@pytest.mark.parametrize("response", [{"status": 200, "body": {"data": []}}, {"status": 500}])
def test_a_scan_whose_lease_was_taken_over_leaves_nothing(sandbox, lease, response):
    sandbox.script({"on": ACTIVE, **response})
    models.Lease.objects.update(expires_at=Now())
    assert leases.acquire_lease(name=lease.name, holder="another", seconds=60) is not None
    with pytest.raises(leases.LeaseLost):
        scan(lease)
    assert not models.Scan.objects.exists()
    assert accounts.get_current_account().baseline_scan == "WANTED"


def test_old_scans_are_deleted_but_those_that_decided_something(lists, lease):
    kept, gone = scan(lease), scan(lease)
    factories.update(kept, is_evidence=True)
    make_older(days=8)
    newest = scan(lease)
    assert set(models.Scan.objects.values_list("pk", flat=True)) == {kept.pk, newest.pk}
    assert gone.pk not in (kept.pk, newest.pk)
