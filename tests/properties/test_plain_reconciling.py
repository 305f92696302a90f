"""What reconciling reads by ticks, windows and limits is what a reading of every row shows, in plain Python."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from portal import models
from portal.services.key import sharing
from portal.services.reconciliation import completeness, matching, restore, scans, unresolved
from portal.services.reconciliation.matching import Verdict
from portal.services.requests import notes
from tests import factories
from tests.properties.test_plain_reading import read
from tests.properties.world import DAY, HOUR, NOW, World, in_worlds

pytestmark = pytest.mark.django_db
GRACE = timedelta(seconds=settings.PORTAL_RECONCILE_GRACE)
EVER = 10**9


class Everything:
    """All rows of the account."""

    def __init__(self, world: World) -> None:
        account = self.account = models.Account.objects.get(pk=world.account.pk)
        self.requests = [row for row in read(models.Request) if row.account_id == account.pk]
        by_id = {row.pk: row for row in self.requests}
        late = {row.attempt_id: row for row in read(models.LateResponse)}
        self.attempts = [row for row in read(models.Attempt) if row.request_id in by_id]
        for row in self.attempts:
            row.request = by_id[row.request_id]
            row.late = late[row.pk].outcome if row.pk in late else ""
        stations = read(models.Workstation, "workspace", "request", "made_for")
        self.stations = [row for row in stations if row.account_id == account.pk]
        self.scans = [row for row in read(models.Scan) if row.account_id == account.pk]
        self.restores = [row for row in read(models.Restore) if row.account_id == account.pk]
        self.owned = {row.request_id: row for row in self.stations if row.request_id}
        self.proven = {row.request_id for row in self.attempts if row.outcome == "SUCCEEDED"}
        self.grace = self.choose_grace()

    def list_unknown(self) -> list[Any]:
        return [row for row in self.attempts if row.outcome == "UNKNOWN" and row.late not in ("FAILED", "NOT_SENT")]

    def list_open(self) -> list[Any]:
        return [row for row in self.list_unknown() if row.request.status in ("UNKNOWN", "QUEUED")]

    def is_in_flight(self, station: Any) -> bool:
        listed_tick = EVER if station.listed_tick is None else station.listed_tick
        return any(row.outcome == "SENDING" and row.claimed_tick <= listed_tick for row in self.attempts)

    def measure_lag(self, station: Any) -> timedelta:
        """From the response to the begin of the last scan that had read all, and lacked it still."""
        made = [row for row in self.attempts if row.request_id == station.request_id]
        made = [row for row in made if row.outcome in ("SUCCEEDED", "UNKNOWN")]
        if not made:
            return timedelta()
        last = max(made, key=lambda row: row.number)
        lacking = [row for row in self.scans if row.ended_tick and row.phase == "CHECK"]
        lacking = [row for row in lacking if row.begun_tick >= last.ended_tick]
        if station.listed_tick is not None:
            lacking = [row for row in lacking if row.ended_tick < station.listed_tick]
        return max([timedelta(), *(row.begun_at - last.ended_at for row in lacking)])

    def get_known_lag(self) -> timedelta:
        """The longest of a week."""
        noted_at = self.account.longest_lag_at
        return timedelta(seconds=self.account.longest_lag if noted_at and NOW - noted_at < 7 * DAY else 0)

    def choose_grace(self) -> timedelta:
        """Of those not listed yet the first is measured: the later lag longer only where the clock has stepped."""
        live = [row for row in self.stations if row.listed_tick is None and row.is_live and not row.is_nameless]
        live = [row for row in live if not row.missing_since and not row.is_foreign and row.request_id in self.proven]
        longest = max([self.get_known_lag(), *(self.measure_lag(row) for row in live[:1])])
        return max(GRACE, min(3 * longest, 15 * GRACE))

    def list_lacking(self, scan: models.Scan) -> list[Any]:
        ours = [row for row in self.stations if row.request_id and row.is_live and not row.release_requested_at]
        ours = [row for row in ours if not row.missing_since and not row.is_foreign]
        return [row for row in ours if row.first_seen_at <= scan.begun_at - GRACE and row.last_scan_id != scan.pk]

    def has_no_lists(self) -> bool:
        refused = list[Any]()
        for scan in self.scans:
            refused = [*refused, scan] if scan.problem.startswith(("404", "501")) else []
        return bool(refused) and (not any(scan.is_complete for scan in self.scans) or NOW - refused[0].begun_at >= HOUR)

    def find_first_scan(self, attempt: Any) -> datetime | None:
        after = [row for row in self.scans if row.is_complete and row.begun_at <= NOW]
        begun = [row.begun_at for row in after if row.begun_tick >= attempt.ended_tick]
        return min(begun, default=None) if attempt.ended_at > NOW else None

    def describe_state(self) -> matching.AccountState:
        complete = [row for row in reversed(self.scans) if row.is_complete]
        offsets = [row.clock_offset for row in complete if row.clock_offset is not None]
        offset = self.account.started_offset if self.account.started_offset is not None else next(iter(offsets), None)
        key = models.Key.objects.get(account=self.account)
        given = [row for row in self.attempts if row.outcome == "UNKNOWN" and row.request_id in self.owned]
        given = [row for row in given if row.request_id not in self.proven]
        return matching.AccountState(
            now=NOW,
            steady_since=NOW - DAY,
            wait_unit=GRACE,
            allowed_lag=self.grace,
            clock_offset=None if offset is None else timedelta(seconds=offset),
            scans=complete,
            walked_tick=max([row.ended_tick for row in self.scans if row.phase == "CHECK"], default=0),
            documented_types=frozenset(models.Request.Type.values),
            assignments=[
                matching.Assignment(
                    type=self.owned[row.request_id].type,
                    listed_tick=self.owned[row.request_id].listed_tick or 0,
                    asked_type=row.request.type,
                    claimed_tick=self.describe_attempt(row).claimed_tick,
                )
                for row in given
            ],
            has_no_lists=self.has_no_lists(),
            has_left_out=any(self.list_lacking(scan) for scan in self.scans[-1:] if "active" in scan.problem),
            is_shared=self.account.shared_at is not None,
            is_paused=key.is_paused and (key.paused_until is None or key.paused_until > NOW),
        )

    def describe_attempt(self, row: Any) -> matching.SentAttempt:
        """One that stands for what a restore lost may have been made since the backup."""
        lost = [one for one in self.restores if one.lost_since_tick < row.claimed_tick <= one.restored_tick]
        lost = lost if row.worker == restore.WORKER else []
        return matching.SentAttempt(
            claimed_at=min([row.claimed_at, *(one.lost_since for one in lost)]),
            claimed_tick=min([row.claimed_tick, *(one.lost_since_tick for one in lost)]),
            ended_at=row.ended_at,
            ended_tick=row.ended_tick,
            proof_from=max(row.ended_at, row.deadline_at),
            span=row.deadline_at - row.claimed_at,
            scanned_at=self.find_first_scan(row),
        )

    def describe_request(self, row: models.Request) -> matching.Unresolved:
        attempts = [one for one in self.list_open() if one.request == row]
        attempts.sort(key=lambda one: (one.claimed_tick, one.number))
        obstacle = notes.RESTORED if attempts[-1].worker == restore.WORKER else ""
        if any(one.names_taken or one.late == "SUCCEEDED" for one in attempts):
            obstacle = notes.OTHERS
        alike = [one.request for one in self.list_open()]
        return matching.Unresolved(
            number=row.pk,
            type=row.type,
            workspace_uid=row.workspace_uid,
            attempts=[self.describe_attempt(one) for one in attempts],
            obstacle=obstacle,
            alike=sum((one.type, one.workspace_uid) == (row.type, row.workspace_uid) for one in alike),
        )

    def list_newcomers(self, state: matching.AccountState) -> list[matching.Newcomer]:
        found, named = [], {row.workspace_uid for row in self.requests}
        for one in self.stations:
            is_free = one.made_for is None or one.made_for.status == "SUCCEEDED"
            is_open = is_free and not one.is_foreign and not one.release_requested_at
            if one.request_id or not (is_open or one.made_for):
                continue
            space = one.workspace
            beside = [other for other in self.stations if space and other.workspace == space and other != one]
            lost = [(lost.lost_since, lost.restored_at + self.grace) for lost in self.restores]
            found.append(
                matching.Newcomer(
                    id=one.pk,
                    uid=one.uid,
                    type=one.type,
                    workspace_uid=space.uid if space else None,
                    workspace_tick=min([other.listed_tick or 0 for other in beside], default=None),
                    is_workspace_taken=space is not None and (space.owner_id is not None or space.uid in named),
                    started_at=one.created_at,
                    listed_tick=one.listed_tick,
                    is_nameless=one.is_nameless,
                    is_in_flight=self.is_in_flight(one),
                    is_open=is_open,
                    made_for=one.made_for_id,
                    must_confirm=any(
                        matching.is_within(started_at=one.created_at, since=since, until=until, state=state)
                        for since, until in lost
                    ),
                )
            )
        return found


def fill(world: World, *, orphans: int) -> Everything:
    rows = world.fill_requests(*["UNKNOWN"] * 4, "QUEUED", "SUCCEEDED", "SUCCEEDED", "SENDING", "FAILED")
    attempts = world.fill_attempts(rows)
    late = [row for row in attempts if row.outcome == "UNKNOWN" and world.is_so(20)]
    world.fill(
        models.LateResponse,
        len(late),
        lambda number: {"attempt": late[number], "outcome": world.pick(["FAILED", "NOT_SENT", "SUCCEEDED"])},
    )
    world.fill_scans(world.pick([0, 2, 9, 60]))
    world.fill_restores()
    owners = [row for row in rows if row.status == "SUCCEEDED" and world.is_so(90)]
    stations = world.fill_workstations(owners=owners, orphans=orphans, also=world.choose_listing)
    # What a late response names was not listed before its claim: else an operator is asked.
    for row in stations[-orphans // 4 :]:
        named = [one for one in attempts if one.outcome == "UNKNOWN" and one not in late]
        named = [one for one in named if one.claimed_tick < (row.listed_tick or EVER)]
        if named and not row.request_id and not row.is_nameless:
            row.change(made_for=world.pick(named).request)
    models.Account.objects.update(
        started_offset=world.pick([None, 0.0, 60.0]),
        longest_lag=world.pick([0.0, 70.0, 9999.0]),
        longest_lag_at=world.pick([None, world.moment(7 * DAY, sign=-1)]),
        shared_at=None,
    )
    return Everything(world)


@in_worlds(45)
def test_what_is_known_of_unknown_requests(world: World) -> None:
    everything = fill(world, orphans=world.pick([1, 5, 50]))
    account, state = everything.account, everything.describe_state()
    newcomers = everything.list_newcomers(state)
    rows = list({row.request.pk: row.request for row in everything.list_open()}.values())
    few = world.chance.sample(rows, min(len(rows), 6))
    for asked in ([row] for row in few) if world.is_so(70) else [few]:
        for facts in unresolved.read_facts(account=account, rows=asked, now=NOW, steady_since=NOW - DAY):
            plain = everything.describe_request(facts.portal_request)
            assert facts.unresolved == plain
            assert replace(facts.state, scans=(), assignments=()) == replace(state, scans=(), assignments=())
            concerned = [one for one in newcomers if one.concerns(plain)]
            given: dict[str, Any] = {"unresolved": plain, "newcomers": concerned, "state": state}
            assert facts.list_possible() == matching.list_possible(**given)
            found, expected = facts.decide(), matching.decide(**given)
            # Of many scans few are read: where the clock steps, it may wait for longer or ask.
            if world.is_steady or len(state.scans) <= 10 or found.verdict in (Verdict.FOUND, Verdict.NOT_CREATED):
                assert found == expected


def explains_all(makers: Mapping[int, set[int]]) -> bool:
    """Whether each can have a maker of its own."""
    made = dict[int, int]()

    def give(one: int, seen: set[int]) -> bool:
        for maker in makers[one] - seen:
            seen.add(maker)
            if maker not in made or give(made[maker], seen):
                made[maker] = one
                return True
        return False

    return all(give(one, set()) for one in makers)


@in_worlds(60)
def test_whether_somebody_else_uses_the_key(world: World) -> None:
    world.size = min(world.size, world.pick([2, 4, 20]))  # of few attempts each stranger has few makers
    everything = fill(world, orphans=40)
    unshared_tick, lag = world.pick([0, 0, 9]), world.pick([GRACE, 5 * GRACE])
    models.Account.objects.update(unshared_tick=unshared_tick)
    account = models.Account.objects.get(pk=world.account.pk)
    offset, wide = timedelta(seconds=account.started_offset or 0), HOUR if account.started_offset is None else lag

    named = {one.made_for_id for one in everything.stations}
    attempts = [row for row in everything.list_unknown() if not (row.late == "SUCCEEDED" and row.request_id in named)]
    attempts = [
        row for row in attempts if row.request_id not in everything.owned or row.request_id in everything.proven
    ]
    orphans = [row for row in everything.stations if not row.request_id and not row.is_foreign]
    orphans = [row for row in orphans if not everything.is_in_flight(row)]
    running = {row for row in orphans if row.is_live}
    assert set(models.Workstation.objects.orphans().filter(account=account)) == running
    makers = {}
    for row in orphans:
        began = row.created_at - offset if row.created_at else row.first_seen_at
        is_lost = any(one.lost_since - wide <= began <= one.restored_at + wide + lag for one in everything.restores)
        if row.made_for_id or is_lost or (row.listed_tick or 0) <= unshared_tick:
            continue
        if row.ended_at and row.ended_at <= NOW - DAY:
            continue
        makers[row.pk] = {
            one.pk
            for one in attempts
            if one.claimed_tick < row.listed_tick
            and (one.request.type == row.type or not {one.request.type, row.type} <= set(models.Request.Type.values))
            and (row.created_at is None or one.deadline_at >= began - wide)
        }
    found = sharing.list_unowned(account=account, lag=lag)
    assert {row.pk for row in found} == makers.keys()
    assert sharing.choose_wide(account=account, lag=lag) == wide
    for row in found:
        assert set(sharing.list_makers(stranger=row, wide=wide).values_list("pk", flat=True)) == makers[row.pk]
    made = [row for row in found if makers[row.pk]]
    for count in range(min(len(made), 8)):
        some = world.chance.sample(made, count)
        is_none = sharing.find_stranger(found=some, wide=wide) is None
        assert is_none == explains_all({row.pk: makers[row.pk] for row in some})
    lease = factories.acquire_lease(name="reconcile")
    lease.run(sharing.note_sharing, account=account, lag=lag)
    account.refresh_from_db()
    assert (account.shared_at is None) == explains_all(makers)


@in_worlds(45)
def test_what_scans_say(world: World) -> None:
    """Of those that are missing, fifty are looked at with each scan."""
    everything = fill(world, orphans=5)
    account, scan = everything.account, models.Scan(account=world.account, pk=EVER, begun_at=NOW)
    if everything.scans:
        scan = world.pick(everything.scans)
    lacking = everything.list_lacking(scan)
    assert list(completeness.find_lacking(scan=scan)) == lacking
    ours = [row for row in everything.stations if row.request_id and row.is_live and not row.is_nameless]
    live = [row for row in ours if not row.release_requested_at]
    shown = [row for row in everything.stations if row.request_id and row.last_scan_id == scan.pk]
    is_nothing = bool(live) and all(row.missing_since or row.is_foreign for row in live)
    is_nothing = is_nothing and all(row.missing_since for row in shown)
    assert completeness.find_problem(scan=scan) == (completeness.ALL_MISSING if is_nothing else "")
    ended = [row for row in shown if row.ended_at and row.ended_at > scan.begun_at]
    newest = max([row.ended_at for row in ended], default=None)
    assert scans._find_newest_end(last=scan) in ([row.uid for row in ended if row.ended_at == newest] or [""])
    assert scans._find_oldest_needed(account=account) == find_oldest_needed(everything)

    unlisted = [row for row in everything.stations if row.missing_since and not row.is_nameless]
    unlisted = [row for row in unlisted if row.missing_tick < scan.begun_tick and row.last_scan_id != scan.pk][:50]
    expected = []
    for row in unlisted:
        later = [one for one in everything.scans if one.is_complete and one.pk > (row.last_scan_id or 0)]
        later = [one for one in later if one.begun_tick > row.missing_tick]
        if sum(one.begun_at >= row.missing_since + everything.grace for one in later) >= 2:
            expected.append(row)
    lease = factories.acquire_lease(name="reconcile")
    lease.run(completeness.end_missing, scan=scan)
    before = {row.pk for row in everything.stations if row.is_live}
    assert [row for row in read(models.Workstation) if row.pk in before and row.ended_at] == expected

    for row in list(everything.owned.values())[:15]:
        assert completeness._measure(row) == everything.measure_lag(row)
    if listed := [row for row in everything.owned.values() if row.listed_tick]:
        lag = max([everything.get_known_lag(), *map(everything.measure_lag, listed)])
        lease.run(completeness.measure_lags, account=account)
        assert timedelta(seconds=account.longest_lag) == lag


def find_oldest_needed(everything: Everything) -> datetime | None:
    """A day before the oldest unknown attempt, or what a restore lost; of what people were asked about, as far back as
    no complete scan has read."""
    attempts = [row for row in everything.attempts if (row.outcome, row.request.status) == ("UNKNOWN", "UNKNOWN")]
    unasked = [row for row in attempts if not row.request.operator_note]
    asked = [row.claimed_at for row in attempts if row.request.operator_note]
    needed = [row.claimed_at - DAY for row in unasked]
    for lost in everything.restores:
        needed += [lost.lost_since - DAY for row in unasked if lost.restored_tick >= row.claimed_tick]
    complete = [row for row in everything.scans if row.is_complete]
    if asked:
        needed.append(max([min(asked) - DAY, *(row.begun_at for row in complete[-1:])]))
    return min(needed, default=None)
