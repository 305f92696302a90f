"""What a scan lacks: only one that lacks nothing that had to be there says what is not there."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from portal import models
from portal.models.clock import Now
from portal.services.reconciliation import completeness
from tests import factories
from tests.services.scanning import entry, make_older, own, scan

pytestmark = pytest.mark.django_db(transaction=True)


def stations(**filters: object) -> set[str]:
    return set(models.Workstation.objects.filter(**filters).values_list("uid", flat=True))


def test_empty_lists_while_six_of_ours_run_prove_nothing(lists, alice, lease):
    own(alice, *"abcdef")
    lists.single = {uid: (200, entry(uid)) for uid in "abcdef"}
    done = scan(lease)
    assert (done.is_complete, done.problem) == (False, completeness.STILL_ACTIVE)
    assert stations(ended_at=None, missing_since=None) == set("abcdef")
    assert len(lists.calls) == 3, "the first that is still active decides"


@pytest.mark.parametrize("status", ["completed", "errored"])
def test_one_that_a_single_read_shows_as_ended_has_ended(lists, alice, lease, status):
    own(alice, "a", "b")
    lists.active, lists.single = [entry("b")], {"a": (200, entry("a", status=status))}
    assert scan(lease).is_complete
    assert stations(ended_at=None) == {"b"}
    assert models.Workstation.objects.get(uid="a").status == status
    assert models.Event.objects.get(verb="ended").request_number == models.Workstation.objects.get(uid="a").request_id


def test_one_that_a_single_read_does_not_find_is_missing_and_not_asked_again(lists, alice, lease):
    own(alice, "a", "b")
    lists.active = [entry("b")]
    assert scan(lease).is_complete
    assert stations(ended_at=None, missing_since__isnull=False) == {"a"}
    calls = len(lists.calls)
    assert scan(lease).is_complete
    assert len(lists.calls) == calls + 2


@pytest.mark.parametrize(
    "single", [(500, {}), (401, {}), (404, {}), (200, entry("another")), (200, {}), (302, {})], ids=str
)
def test_any_other_response_to_a_single_read_leaves_the_scan_incomplete(lists, alice, lease, single):
    own(alice, "a", "b")
    lists.active, lists.single = [entry("b")], {"a": single}
    done = scan(lease)
    assert (done.is_complete, done.problem) == (False, completeness.NOT_READABLE)
    assert stations(ended_at=None, missing_since=None) == {"a", "b"}


def test_a_single_read_that_fails_is_tried_again(lists, alice, lease):
    own(alice, "a", "b")
    lists.active, lists.single = [entry("b")], {"a": (200, entry("a", status="completed"))}
    lists.refuse = lambda number: (503, {}) if 3 <= number <= 5 else None
    assert scan(lease).is_complete
    assert stations(ended_at=None) == {"b"}


@pytest.mark.parametrize(("history", "live", "verb"), [(False, {"a", "b"}, "found-again"), (True, {"b"}, "ended")])
def test_one_that_is_missing_is_found_again_when_a_later_scan_shows_it(lists, alice, lease, history, live, verb):
    own(alice, "a", "b")
    lists.active = [entry("b")]
    scan(lease)
    if history:
        lists.history = [entry("a", status="completed")]
    else:
        lists.active = [entry("a"), entry("b")]
    assert scan(lease).is_complete
    assert stations(ended_at=None, missing_since=None) == live
    assert models.Event.objects.filter(verb=verb).count() == 1


# --- Lists that contradict themselves, and ids that come again ---


def test_what_both_lists_show_does_not_end(lists, alice, lease):
    own(alice, "a")
    lists.active, lists.history = [entry("a")], [entry("a", status="completed")]
    for _ in range(3):
        scan(lease)
        make_older(minutes=2)
    assert stations(ended_at=None) == {"a"}
    assert not models.Event.objects.filter(verb__in=("ended", "reopen")).exists()


def release_long_ago(requester: models.User, uid: str) -> models.Workstation:
    own(requester, uid)
    models.Workstation.objects.filter(uid=uid).update(
        created_at=Now() - timedelta(hours=2),
        release_requested_at=Now() - timedelta(hours=1),
        release_requested_by=requester,
        release_due_at=Now() - timedelta(hours=1),
        release_tries=5,
        ended_at=Now() - timedelta(hours=1),
    )
    return models.Workstation.objects.get(uid=uid)


@pytest.mark.parametrize("hours_ago", [0, 3])  # where the provider's clock was ahead before, it seems to be older
def test_an_id_that_comes_again_is_another_workstation_and_nobody_s_wish_ends_it(lists, alice, lease, hours_ago):
    former = release_long_ago(alice, "a")
    lists.active = [entry("a", startedAt=(datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat())]
    for _ in range(2):
        scan(lease)

    former.refresh_from_db()
    assert not former.is_live
    assert not models.Workstation.objects.due_for_release(former.account).exists()
    newcomer = models.Workstation.objects.exclude(pk=former.pk).get()
    assert (newcomer.is_live, newcomer.is_nameless, newcomer.request_id) == (True, True, None)
    assert models.Notice.objects.filter(kind="a list has a workstation with the id of one that had ended").exists()
    lists.active, lists.history = [], [entry("a", status="completed", startedAt=lists.active[0]["startedAt"])]
    scan(lease)
    assert not factories.reread(newcomer).is_live


@pytest.mark.parametrize(("minutes", "workspace"), [(5, "S1"), (-5, "S1"), (0.1, "S2")])
@pytest.mark.parametrize("is_listed", [True, False])
def test_an_id_that_comes_again_ends_who_had_it_and_overwrites_no_row(
    lists, alice, lease, is_listed, minutes, workspace
):
    own(alice, "a", "b")
    mine, now = models.Workstation.objects.get(uid="a"), datetime.now(UTC)
    mine.change(created_at=now, workspace=models.Workspace.objects.create(account=mine.account, uid="S1"))
    started_at = now + timedelta(minutes=minutes)
    other = entry("a", workspace=workspace, startedAt=started_at.isoformat())
    lists.active, lists.single = [entry("b")], {"a": (200, other)}
    if is_listed:
        lists.active.append(other)
    assert scan(lease).is_complete

    former = factories.reread(mine)
    assert (former.is_live, former.request, factories.get_workspace(former).uid) == (False, mine.request, "S1")
    assert former.created_at == now
    newcomer = models.Workstation.objects.filter(is_nameless=True)
    assert [row.request_id for row in newcomer] == ([None] if is_listed else [])


@pytest.mark.parametrize("history", [True, False])
def test_one_lives_on_whose_start_is_corrected_or_whose_id_had_another_before(lists, alice, lease, history):
    own(alice, "a")
    mine, now = models.Workstation.objects.get(), datetime.now(UTC)
    mine.change(created_at=now)
    corrected, earlier = ((now + timedelta(seconds=seconds)).isoformat() for seconds in (20, -3600))
    lists.active = [entry("a", startedAt=corrected)]
    lists.history = [entry("a", status="completed", startedAt=earlier)] if history else []
    assert scan(lease).is_complete
    lists.active = []
    lists.single = {"a": (200, entry("a", startedAt=corrected))}
    assert not scan(lease).is_complete
    assert factories.reread(mine).is_live


@pytest.mark.parametrize(("since_end", "is_another"), [(30, True), (-90, False)])
def test_without_a_start_an_id_that_comes_again_is_judged_by_the_end(lists, alice, lease, since_end, is_another):
    former = release_long_ago(alice, "a")
    models.Workstation.objects.update(created_at=None)
    models.Account.objects.update(started_offset=7200)
    assert former.ended_at
    started_at = former.ended_at + timedelta(minutes=since_end, hours=2)
    lists.active = [entry("a", startedAt=started_at.isoformat())]
    scan(lease)
    assert factories.reread(former).is_live is not is_another


@pytest.mark.parametrize("is_own", [True, False])
def test_what_is_reopened_is_released_again_unless_its_start_is_not_known(lists, alice, lease, is_own):
    former = release_long_ago(alice, "a")
    assert former.created_at
    former.change(release_failure="500")
    lists.active = [entry("a", **({"startedAt": former.created_at.isoformat()} if is_own else {}))]
    scan(lease)
    former.refresh_from_db()
    assert (former.is_live, former.release_tries, former.release_failure) == (True, 0, "")
    assert former.release_requested_by == (alice if is_own else None)
    assert models.Workstation.objects.due_for_release(former.account).exists() is is_own
    assert models.Event.objects.filter(verb="withdraw-release").exists() is not is_own


def test_one_that_a_scan_shows_as_active_long_after_its_end_runs_again(lists, alice, lease):
    own(alice, "a")
    models.Workstation.objects.update(ended_at=Now())
    lists.active = [entry("a")]
    scan(lease)
    assert stations(ended_at=None) == set(), "lists may lag"
    models.Workstation.objects.update(ended_at=F("ended_at") - timedelta(minutes=2))
    scan(lease)
    assert stations(ended_at=None) == {"a"}
    assert models.Event.objects.get(verb="reopen").request_number is not None
