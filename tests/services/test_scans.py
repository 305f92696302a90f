"""Looks: complete readings of the provider's lists, kept whether they succeed or not."""

import pytest
from django.db import connection

from portal import agentstation, models
from portal.models.clock import Now
from portal.services import accounts, leases, scans
from portal.worker import process
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

ACTIVE, HISTORY = "GET /workstations", "GET /workstations/history"


class Looking(agentstation.Client):
    """The real client, which first notes how the portal's database connection stands."""

    def __init__(self) -> None:
        self.__dict__.update(process.make_client().__dict__)
        self.calls: list[tuple[str, bool, bool]] = []

    def list_active_workstations(self):
        self.calls.append(("active", connection.in_atomic_block, connection.connection is not None))
        return super().list_active_workstations()

    def list_workstation_history(self):
        self.calls.append(("history", connection.in_atomic_block, connection.connection is not None))
        return super().list_workstation_history()


@pytest.fixture
def held() -> leases.Held:
    taken = leases.take_lease(name="settle", holder="test", seconds=600)
    assert taken is not None
    return taken


def look(held: leases.Held, client: agentstation.Client | None = None) -> models.Scan:
    return scans.make_scan(account=accounts.get_current_account(), held=held, client=client or process.make_client())


def entry(uid: str, *, status: str = "active", workspace: str | None = "S1") -> dict[str, object]:
    space = {"id": workspace, "status": "active"} if workspace else None
    return {"id": uid, "type": "python", "status": status, "workspace": space}


def script_list(sandbox, *entries: dict[str, object], on: str = ACTIVE, cursor: str | None = None) -> None:
    sandbox.script({"on": on, "status": 200, "body": {"data": list(entries), "next_cursor": cursor}})


def test_the_active_list_is_read_before_the_history_with_no_transaction_open(sandbox, held):
    client = Looking()
    look(held, client)
    holds = connection.vendor == "sqlite"
    assert client.calls == [("active", False, holds), ("history", False, holds)]


def test_a_look_says_when_it_was_and_how_much_it_saw(sandbox, held):
    factories.mark_first_look()
    script_list(sandbox, entry("W1"), entry("W2", workspace="S2"))
    script_list(sandbox, entry("W3", status="completed"), on=HISTORY)

    first = look(held)

    assert first.is_whole
    assert first.begun_at <= first.ended_at
    assert (first.active_count, first.history_count, first.new_count) == (2, 1, 3)
    stations = {row.uid: row for row in models.Workstation.objects.select_related("workspace")}
    assert [stations[uid].workspace.uid for uid in ("W1", "W2", "W3")] == ["S1", "S2", "S1"]
    assert [stations[uid].is_live for uid in ("W1", "W2", "W3")] == [True, True, False]
    assert all(row.listed_at is not None for row in stations.values())
    script_list(sandbox, entry("W1"))
    assert look(held).new_count == 0


def test_one_that_ends_while_the_lists_are_read_is_kept_once(sandbox, held):
    factories.mark_first_look()
    script_list(sandbox, entry("W1"))
    script_list(sandbox, entry("W1", status="completed"), on=HISTORY)
    assert look(held).new_count == 1
    assert models.Workstation.objects.count() == 1


def test_one_that_a_page_shows_again_is_kept_once(sandbox, held):
    factories.mark_first_look()
    script_list(sandbox, entry("W1"), entry("W2"), cursor="next")
    script_list(sandbox, entry("W2"), entry("W3"))
    seen = look(held)
    assert (seen.active_count, seen.new_count) == (4, 3)
    assert models.Workstation.objects.count() == 3


def test_a_later_look_does_not_say_that_it_was_the_first_to_show(sandbox, alice, held):
    factories.create_workstation(alice)
    assert models.Workstation.objects.get().listed_at is None
    look(held)
    listed_at = models.Workstation.objects.get().listed_at
    assert listed_at is not None
    look(held)
    assert models.Workstation.objects.get().listed_at == listed_at


def test_a_look_takes_nobody_s_workstation_away(sandbox, alice, held):
    mine = factories.create_workstation(alice)
    look(held)
    found = models.Workstation.objects.get()
    assert (found.request, found.workspace.owner, found.is_foreign) == (mine.request, alice, False)


def test_live_workstations_that_nobody_owns_are_orphans_and_those_of_before_us_are_not(sandbox, held):
    script_list(sandbox, entry("W1"))
    look(held)
    script_list(sandbox, entry("W1"), entry("W2"))
    script_list(sandbox, entry("W3", status="completed"), on=HISTORY)
    look(held)
    assert list(models.Workstation.objects.orphans().values_list("uid", flat=True)) == ["W2"]
    assert list(models.Workstation.objects.filter(is_foreign=True).values_list("uid", flat=True)) == ["W1"]


def test_ugly_entries_do_not_break_a_look(sandbox, held):
    factories.mark_first_look()
    ugly = [
        entry("W1") | {"type": "py\x00thon", "status": None, "startedAt": "9999-12-31T23:59:59Z"},
        entry("W2") | {"workspace": {"id": "\ud800", "status": 5}},
        entry("x" * 201),
        entry("\x00"),
        entry("."),
        entry("W3") | {"workspace": {"id": "S3", "files": {"data": [{"id": 5}, 7]}, "logs": "none"}},
        entry("W4") | {"size": 10**30, "startedAt": "0001-01-01"},
    ]
    script_list(sandbox, *ugly)
    seen = look(held)
    assert (seen.is_whole, seen.active_count, seen.new_count) == (True, 7, 4)
    assert set(models.Workstation.objects.values_list("uid", flat=True)) == {"W1", "W2", "W3", "W4"}


def test_ten_thousand_entries_take_a_bounded_number_of_queries(sandbox, held, django_assert_max_num_queries):
    factories.mark_first_look()
    entries = [entry(f"W{number}", workspace=f"S{number % 3000}") for number in range(10_000)]

    def script_pages() -> None:
        for start in range(0, 10_000, 1_000):
            cursor = str(start) if start < 9_000 else None
            script_list(sandbox, *entries[start : start + 1_000], cursor=cursor)

    script_pages()
    with django_assert_max_num_queries(100):
        seen = look(held)
    assert (seen.problem, seen.active_count, seen.new_count) == ("", 10_000, 10_000)
    assert models.Workstation.objects.exclude(listed_at=None).exclude(workspace=None).count() == 10_000

    script_pages()
    with django_assert_max_num_queries(20):
        assert look(held).new_count == 0


@pytest.mark.parametrize(
    ("answer", "problem", "has_lists"),
    [
        ({"status": 404}, "404 UnexpectedStatus", False),
        ({"status": 501}, "501 GatewayAnswer", False),
        ({"status": 500}, "500 InternalError", True),
        ({"status": 429}, "429 RateLimited", True),
        ({"status": 200, "body": "[]"}, "200 UnreadableAnswer", True),
        ({"status": 200, "body": {"data": [], "next_cursor": 7}}, "200 UnreadableAnswer", True),
        ({"name": "reset"}, "NoAnswer", True),
        ({"name": "truncate"}, "NoAnswer", True),
    ],
)
@pytest.mark.parametrize("on", [ACTIVE, HISTORY])
def test_a_look_that_failed_is_kept_with_its_problem(sandbox, held, on, answer, problem, has_lists):
    script_list(sandbox, entry("W1"))
    if on == ACTIVE:
        sandbox.script({"on": "*", **answer})
        look(held)  # the good first page, and then a history that is bad
        models.Scan.objects.all().delete()
        models.Workstation.objects.all().delete()
    sandbox.script({"on": on, **answer})

    failed = look(held)

    assert (failed.is_whole, failed.problem) == (False, problem)
    assert scans.has_no_lists(scan=failed) is not has_lists
    assert not models.Workstation.objects.exists()


def test_a_provider_that_cannot_be_reached_fails_the_first_look_and_says_so(settings, held):
    settings.AGENTSTATION_BASE_URL = "http://127.0.0.1:9/v1"
    settings.AGENTSTATION_API_KEY = "none"
    scans.make_first_scan(held=held, client=process.make_client())
    assert models.Scan.objects.get().problem == "NoConnection"
    assert accounts.get_current_account().first_look == "FAILED"


def test_what_a_later_look_finds_is_not_called_foreign_when_the_first_one_failed(sandbox, held):
    sandbox.script({"on": ACTIVE, "status": 500})
    look(held)
    script_list(sandbox, entry("W1"))
    look(held)
    assert accounts.get_current_account().first_look == "FAILED"
    assert models.Event.objects.filter(verb="first-look").count() == 1
    assert not models.Workstation.objects.get().is_foreign


@pytest.mark.parametrize("answer", [{"status": 200, "body": {"data": []}}, {"status": 500}])
def test_a_look_whose_lease_was_taken_over_leaves_nothing(sandbox, held, answer):
    sandbox.script({"on": ACTIVE, **answer})
    models.Lease.objects.update(expires_at=Now())
    assert leases.take_lease(name="settle", holder="another", seconds=60) is not None
    with pytest.raises(leases.LeaseLost):
        look(held)
    assert not models.Scan.objects.exists()
    assert accounts.get_current_account().first_look == "WANTED"
