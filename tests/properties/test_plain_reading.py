"""What services read by bounds, limits and windows is what a reading of every row shows, in plain Python."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings

from portal import models
from portal.services.limits import limits
from portal.services.lives import carrying_out
from portal.services.mirrors import releases
from portal.services.people import policy
from portal.services.requests import batch, fair_queue, running
from portal.services.runtime import calls
from portal.services.tokens import repetitions
from tests import factories
from tests.properties.world import DAY, HOUR, MINUTE, NOW, SECOND, World, in_worlds

pytestmark = pytest.mark.django_db
WAITING = ("QUEUED", "SENDING", "UNKNOWN")


def read(kind: Any, *related: str) -> list[Any]:
    rows = kind._base_manager.order_by("pk")
    return list(rows.select_related(*related) if related else rows)


# --- What counts in limits ---


@in_worlds(25)
def test_what_runs_and_waits_counts(world: World) -> None:
    rows = world.fill_requests(*WAITING, "SUCCEEDED", "FAILED", "CANCELLED")
    world.fill_workstations(owners=[row for row in rows if world.is_so(40)], orphans=world.size // 4)
    factories.set_policy(running_per_person=world.pick(range(4)), running=world.pick([0, world.size // 2]))
    models.User.objects.filter(pk__in=[one.pk for one in world.people if world.is_so(30)]).update(
        running_limit=world.pick(range(9))
    )

    here = [one for one in read(models.Workstation) if one.account_id == world.account.pk and not one.ended_at]
    running_for = {one.request_id for one in here}
    counted = [
        row
        for row in read(models.Request)
        if row.account_id == world.account.pk and (row.status in WAITING or row.pk in running_for)
    ]
    by_person = Counter(row.requester_id for row in counted)
    assert set(running.list_running(account=world.account)) == set(here)
    assert running.count_by_person(account=world.account) == by_person
    decided = policy.read_policy()
    for person in models.User.objects.all()[:4]:
        own = [row for row in reversed(counted) if row.requester_id == person.pk]
        assert list(running.list_counted(account=world.account, person=person)) == own
        most = decided.running_per_person if person.running_limit is None else person.running_limit
        uses = [(len(own), most, False), (len(counted), decided.running, True)]
        found = running.list_uses(decided=decided, account=world.account, person=person)
        uses = [use for use in uses if use[1]]
        assert [(use.count, use.most, use.is_team) for use in found] == uses
        with nullcontext() if all(count < most for count, most, _ in uses) else pytest.raises(running.Reached):
            running.take_place(decided=decided, account=world.account, person=person)


@in_worlds(10)
def test_what_somebody_did_in_a_minute_counts(world: World) -> None:
    kind = limits.ACT
    for person in world.people:
        before = (world.pick([1, kind.most - 1, kind.most]), world.moment(MINUTE))
        models.Limit.objects.create(kind=kind.name, who=str(person.pk), count=before[0], at=before[1])
        after = (before[0] + 1, before[1]) if abs(before[1] - NOW) < MINUTE else (1, NOW)
        after = before if after[0] > kind.most else after
        with override_settings(PORTAL_LIMITS=True), suppress(limits.Limited):
            limits.count_one(kind=kind, person=person)
        row = models.Limit.objects.get(kind=kind.name, who=str(person.pk))
        assert (row.count, row.at) == after


# --- What is owed to programs ---


def make_digest(person: models.User, key: int) -> str:
    return hashlib.sha256(f"{person.pk} {key}".encode()).hexdigest()


@in_worlds(25)
def test_what_programs_find_again(world: World) -> None:
    rows = world.fill_requests("QUEUED", "SUCCEEDED", "FAILED")
    world.fill_workstations(owners=[row for row in rows if row.status == "SUCCEEDED" and world.is_so(70)])
    tokens = [models.Token.objects.create(person=one, token_hash=one.username) for one in world.people[:3]]
    keyed = [(token, make_digest(token.person, key)) for token in tokens for key in range(3) if world.is_so(60)]
    named = keyed + [(world.pick(tokens), "") for _ in range(2 * world.size)]
    world.fill(
        models.Repetition,
        len(named),
        lambda number: {
            "token": named[number][0],
            "key": named[number][1],
            "body": world.pick("ab"),
            "submission": world.pick(world.submissions),
            "at": world.moment(DAY, sign=-1),
        },
    )

    requests = {(row.requester_id, row.submission): row for row in read(models.Request)}
    ended = {one.request_id for one in read(models.Workstation) if one.ended_at}
    kept, unended = [], []
    for one in read(models.Repetition, "token"):
        row = requests.get((one.token.person_id, one.submission))
        if one.at > NOW - DAY or (row and (row.ended_at is None or row.ended_at > NOW - DAY)):
            kept.append(one)
            unended += [] if row and row.pk in ended else [one]
    for token in tokens:
        for body in "ab":
            owed = [one for one in unended if (one.token, one.body, one.key) == (token, body, "")]
            assert list(repetitions.list_owed(token=token, body=body)) == owed
        for key in range(3):
            found = [one for one in kept if one.key == make_digest(token.person, key)]
            assert find_submission(token, str(key)) == [one.submission if one.body == "a" else None for one in found]


def find_submission(token: models.Token, key: str) -> list[UUID | None]:
    """What an Idempotency-Key stands for: nothing yet; with another body None."""
    is_new = list[bool]()
    try:
        found = repetitions.find_submission(token=token, key=key, body="a", check=lambda: is_new.append(True))
    except repetitions.KeyReused:
        return [None]
    return [] if is_new else [found]


# --- What goes out next ---


def is_lately(at: datetime | None) -> bool:
    return at is not None and at > NOW - MINUTE


def list_asked_releases(account: models.Account) -> list[Any]:
    asked = [one for one in read(models.Workstation) if one.release_requested_at and one.account_id == account.pk]
    return [one for one in asked if one.is_live and not one.is_nameless]


def list_refused_until(account: models.Account) -> list[datetime]:
    """A rate limit that one has met is obeyed by all for a minute at most."""
    asked = [one for one in list_asked_releases(account) if one.release_failure == "429"]
    return [until for one in asked if (until := min(one.release_due_at, one.release_tried_at + MINUTE)) > NOW]


def list_due_releases(account: models.Account) -> list[Any]:
    """People's first, then the least tried."""
    due = [one for one in list_asked_releases(account) if one.release_due_at <= NOW]
    due = [] if list_refused_until(account) else due
    return sorted(due, key=lambda one: (one.release_requested_by_id is None, one.release_tries, one.release_due_at))


def count_calls(account: models.Account) -> int:
    times = [one.claimed_at for one in read(models.Attempt, "request") if one.request.account_id == account.pk]
    times += [one.release_tried_at for one in read(models.Workstation) if one.account_id == account.pk]
    times += [one.opened_at for one in models.Connection.calls.all()]
    return sum(map(is_lately, times))


def count_own_releases(account: models.Account) -> int:
    own = [one for one in read(models.Workstation) if one.release_requested_by_id is None]
    return sum(is_lately(one.release_tried_at) for one in own if one.account_id == account.pk)


def fill_calls(world: World) -> None:
    rows = world.fill_requests(*["QUEUED"] * 5, "SENDING", "SUCCEEDED", "UNKNOWN")
    world.fill_attempts([row for row in rows if row.status != "QUEUED"] if world.is_so(70) else [])
    owners = [row for row in rows if row.status == "SUCCEEDED"]
    [*_, last] = world.fill_workstations(owners=owners, orphans=5, also=world.choose_release)
    world.fill(
        models.Connection,
        world.pick([0, 3]),
        lambda _: {
            "workstation": last,
            "person": world.people[0],
            "is_opening": world.is_so(50),
            "opened_at": world.moment(MINUTE, sign=-1),
        },
    )


def take_turns(rows: Sequence[Any], people: Sequence[models.User], turns: Mapping[int, int]) -> list[int]:
    """Each person's oldest, then each person's second, first of whom the last turn is longest ago."""
    queues = [
        sorted((row.queued_at, row.pk) for row in rows if row.requester_id == person.pk)
        for person in sorted(people, key=lambda person: (turns[person.pk], person.pk))
    ]
    return [row[1] for turn in zip_longest(*queues) for row in turn if row]


@in_worlds(50)
def test_whose_request_is_sent_next(world: World) -> None:
    """Each person's oldest by the queue, in the order of their last turns, as far as there is room."""
    fill_calls(world)
    limit = world.pick([0, count_calls(world.account) + world.pick(range(1, 9))])
    places, most = world.pick([1, 20, 99]), world.pick([1, 5, 40])
    under_way = [one for one in read(models.Attempt, "request") if one.outcome == "SENDING"]
    under_way = [one for one in under_way if one.request.account_id == world.account.pk]
    under_way = [one for one in under_way if one.deadline_at - calls.get_margin() > NOW]
    resumed = max([one.claimed_tick for one in under_way], default=1) + world.pick([0, 1])
    state, until = world.pick(["ACTIVE", "ACTIVE", "PAUSED", "RESUMING"]), None
    if state == "PAUSED":
        until = world.pick([None, NOW - MINUTE, NOW, NOW + HOUR])
    paused_at = NOW - HOUR if state == "PAUSED" else None
    cause = "" if state == "ACTIVE" else "500"
    values = {"state": state, "cause": cause, "paused_at": paused_at, "paused_until": until, "pause_seconds": 9999}
    models.Key.objects.filter(account=world.account).update(**values, resumed_tick=resumed, tick=99)
    kept_at = NOW - world.pick([4, 5, 6]) * SECOND
    models.Limit.objects.create(kind="room", who=str(world.account.pk), at=kept_at)

    room = min(most, batch.LARGEST, places - len(under_way))
    if state == "RESUMING":
        room = min(room, 0 if any(one.claimed_tick >= resumed for one in under_way) else 1)
    if state == "PAUSED":
        room = min(room, 1 if until and until <= NOW else 0)
    if limit:
        untried = [one for one in list_due_releases(world.account) if not one.release_tries]
        own = [one for one in untried if one.release_requested_by_id is None]
        left = max(0, max(1, limit // 2) - count_own_releases(world.account))
        ahead = len(untried) - max(0, len(own) - left) + (kept_at > NOW - 5 * SECOND)
        room = min(room, limit - count_calls(world.account) - ahead)
    rows = [row for row in read(models.Request) if row.account_id == world.account.pk]
    turns = {person.pk: 0 for person in world.people} | {
        row.requester_id: row.claimed_tick for row in sorted(rows, key=lambda row: row.claimed_tick)
    }
    rows = [row for row in rows if row.status == "QUEUED"]
    due = [row for row in rows if (row.next_attempt_at or NOW) <= NOW]
    people = [one for one in world.people if one.is_active and one.has_perm("portal.submit_request")]
    expected = take_turns(due, people, turns)
    for row in world.chance.sample(rows, min(len(rows), 3)):
        place = 1 + take_turns(rows, world.people, turns).index(row.pk)
        assert fair_queue.find_position(portal_request=row) == place

    with override_settings(PORTAL_CALLS_PER_MINUTE=limit, PORTAL_CALLS_IN_FLIGHT=places):
        found = batch.Batch(brought=[], most=most)
        batch.commit_batch(batch=found, worker="test")
    attempts = models.Attempt.objects.in_bulk([call.attempt_id for call in found.claimed])
    assert [attempts[call.attempt_id].request_id for call in found.claimed] == expected[: max(0, room)]


@in_worlds(50)
def test_which_release_is_sent_next(world: World) -> None:
    fill_calls(world)
    limit = world.pick([0, count_calls(world.account) + world.pick([0, 1, 9])])
    due = list_due_releases(world.account)
    if limit:
        half = max(1, limit // 2)
        again = [
            one for one in read(models.Workstation) if one.account_id == world.account.pk and one.release_tries > 1
        ]
        if sum(is_lately(one.release_tried_at) for one in again) >= half:
            due = [one for one in due if not one.release_tries]
        if count_own_releases(world.account) >= half:
            due = [one for one in due if one.release_requested_by_id]
        if count_calls(world.account) >= limit:
            due = []
    assert releases.find_next_try(account=world.account) == max(list_refused_until(world.account), default=None)
    with override_settings(PORTAL_CALLS_PER_MINUTE=limit):
        found = releases.claim_release()
    assert (found and found.workstation_id) == (due[0].pk if due else None)


# --- What ends ---


def is_unused(row: models.Workstation, *, hours: int) -> bool:
    """Nobody holds a connection to it, it has no new file or log, and nobody chose its end of late."""
    since = NOW - hours * HOUR
    news = read(models.File) + read(models.Log)
    if not hours or any(one.workspace_id == row.workspace_id and one.first_seen_at > since for one in news):
        return False
    for one in models.Connection.calls.filter(workstation=row):
        is_open = not one.is_held or one.ended_at is None or one.ended_at > since
        if one.kind == models.Connection.PASSED_ON or (is_open and not one.is_opening):
            return False
    return row.end_is_idle or (row.end_set_at or row.first_seen_at) <= since


def look_at_end(row: models.Workstation, *, hours: int) -> None:
    """What one round does: announced once and then once more, it ends when its time has come."""
    is_idle = is_unused(row, hours=hours)
    if row.end_is_idle and not is_idle:
        row.ends_at, row.planned_end_at, row.end_is_idle, row.end_warnings = row.planned_end_at, None, False, 0
    elif is_idle and not row.end_is_idle and (row.ends_at is None or row.ends_at > NOW + 30 * MINUTE):
        row.planned_end_at, row.ends_at, row.end_is_idle, row.end_warnings = row.ends_at, NOW + 30 * MINUTE, True, 1
        row.end_set_at, row.end_seen = row.end_set_at or row.first_seen_at, None
    if row.ends_at is None:
        return
    if row.ends_at <= NOW + 30 * MINUTE and row.end_warnings == 2:
        row.end_seen = row.end_seen or 0.0
    life = row.ends_at - (row.end_set_at or row.first_seen_at)
    left, last = row.ends_at - NOW, min(5 * MINUTE, life / 10)
    announced, seen = row.end_warnings, timedelta(seconds=row.end_seen or 0)
    wanted = 2 if left <= last else int(left <= min(30 * MINUTE, life / 2))
    if wanted > announced:
        row.end_warnings, row.end_seen = wanted, 0.0
        if left < (last / 2 if announced else last):
            row.ends_at, row.end_set_at = NOW + last, NOW + last - life
    if announced == 2 and row.ends_at <= NOW and seen >= last:
        row.release_requested_at = NOW


@in_worlds(40)
def test_what_is_announced_and_ends(world: World) -> None:
    world.size = min(world.size, 40)
    rows = world.fill_requests("SUCCEEDED")
    stations = world.fill_workstations(owners=rows, orphans=4, also=world.choose_end)
    for kind in (models.File, models.Log):
        world.fill(
            kind,
            world.size // 8,
            lambda number: {
                "uid": f"{number}",
                "workspace": world.pick(world.workspaces),
                "first_seen_at": world.moment(HOUR, sign=-1),
            },
        )
    world.fill(
        models.Connection,
        world.size // 2,
        lambda _: {
            "workstation": world.pick(stations),
            "person": world.people[0],
            "kind": world.pick(["desktop", "log", "vnc", "other"]),
            "is_opening": world.is_so(50),
            "by_program": world.is_so(20),
            "ended_at": world.pick([None, world.moment(HOUR, sign=-1)]),
        },
    )
    hours = world.pick([0, 1, 2])
    factories.set_policy(idle_hours=hours)
    expected = read(models.Workstation)
    for row in expected:
        is_ours = row.account_id == world.account.pk and row.request_id and row.is_live
        if is_ours and not row.release_requested_at:
            look_at_end(row, hours=hours)

    lease = factories.acquire_lease(name="ends")
    lease.run(carrying_out.carry_out_ends, watched=factories.make_steady(lease))
    assert [describe_end(row) for row in read(models.Workstation)] == [describe_end(row) for row in expected]


def describe_end(row: models.Workstation) -> tuple[object, ...]:
    end = (row.ends_at, row.end_set_at, row.end_is_idle, row.planned_end_at)
    return (row.pk, *end, row.end_warnings, row.end_seen, row.release_requested_at)
