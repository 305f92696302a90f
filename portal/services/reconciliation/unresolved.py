"""What is known of unknown requests, as `matching` needs it: read once, to decide about them and to show it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Coalesce

from portal import models
from portal.services.reconciliation import completeness, matching, restore, scans
from portal.services.requests import lifecycle, notes

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_SCANS = 10  # complete scans that are looked at, and as many older ones; few are enough where nothing steps


@dataclass(frozen=True, kw_only=True)
class Facts:
    """An unknown request with its open attempts, oldest first, and what may be its workstation."""

    portal_request: models.Request
    attempts: Sequence[models.Attempt]
    unresolved: matching.Unresolved
    newcomers: Sequence[matching.Newcomer]
    state: matching.AccountState

    def decide(self) -> matching.Decision:
        """What follows. A question that was asked is not taken back because another process watches the clock now."""
        decision = self._decide(self.state)
        if decision.verdict is matching.Verdict.WAIT and self.portal_request.operator_note:
            # Not since the first claim: a clock that was ahead may have told its time.
            steady = self._decide(replace(self.state, steady_since=_EVER))
            return steady if steady.verdict is matching.Verdict.ASK else decision
        return decision

    def _decide(self, state: matching.AccountState) -> matching.Decision:
        return matching.decide(unresolved=self.unresolved, newcomers=self.newcomers, state=state)

    def list_possible(self) -> list[matching.Newcomer]:
        """The newcomers that the request may have made, in the widest reading."""
        return matching.list_possible(unresolved=self.unresolved, newcomers=self.newcomers, state=self.state)


def list_open_attempts() -> QuerySet[models.Attempt]:
    """Attempts that may have created something that nobody knows of.

    Those of requests that are to be sent again, too: what is listed late is still theirs.
    """
    outcomes, states = models.Attempt.Outcome, models.Request.Status
    attempts = models.Attempt.objects.filter(
        request__status__in=(states.UNKNOWN, states.QUEUED), outcome=outcomes.UNKNOWN
    )
    return attempts.exclude(late_response__outcome__in=(outcomes.FAILED, outcomes.NOT_SENT))


def read_facts(
    *, account: models.Account, rows: Iterable[models.Request], now: datetime, steady_since: datetime
) -> list[Facts]:
    """What is known of these requests, in as many queries for one as for hundreds.

    Nothing can be of one that was sent to another account.
    """
    by_request = _read_attempts(account=account, rows=rows, now=now)
    if not by_request:
        return []
    restores = list(models.Restore.objects.filter(account=account))
    # What one of those that ask for the same made may be given to another.
    open_attempts = list_open_attempts().filter(request__account=account)
    alike = Counter(open_attempts.values_list("request__type", "request__workspace_uid"))
    described = [
        _describe_request(row, attempts=own, restores=restores, alike=alike[row.type, row.workspace_uid])
        for row, own in by_request.items()
    ]
    since = min((one.attempts[0].claimed_tick for one in described if one.attempts), default=0)
    assignments = _read_assignments(account=account, restores=restores, since=since)
    # A claim of what was given away lets more matter where it is older, and never less.
    since = min([since, *(one.claimed_tick for one in assignments)])
    state = _read_state(account=account, assignments=assignments, now=now, steady_since=steady_since)
    newcomers = _read_newcomers(account=account, state=state, restores=restores, since=since)
    return [
        Facts(
            portal_request=row,
            attempts=own,
            unresolved=one,
            newcomers=[new for new in newcomers if own and row.account_id == account.pk and new.concerns(one)],
            state=state,
        )
        for (row, own), one in zip(by_request.items(), described, strict=True)
    ]


def _read_attempts(
    *, account: models.Account, rows: Iterable[models.Request], now: datetime
) -> dict[models.Request, list[models.Attempt]]:
    """The open attempts of each request, in the order of their claims."""
    by_request: dict[models.Request, list[models.Attempt]] = {row: [] for row in rows}
    numbers = {row.pk: row for row in by_request}
    attempts = list_open_attempts().filter(request__in=numbers).order_by("claimed_tick", "number")
    attempts = attempts.annotate(scanned_at=_find_first_scan(account=account, now=now))
    for attempt in attempts.select_related("late_response").defer("response", "late_response__response"):
        by_request[numbers[attempt.request_id]].append(attempt)
    return by_request


def _describe_request(
    row: models.Request, *, attempts: Sequence[models.Attempt], restores: Sequence[models.Restore], alike: int
) -> matching.Unresolved:
    obstacle = notes.RESTORED if attempts and attempts[-1].worker == restore.WORKER else ""
    if any(_names_taken(attempt) for attempt in attempts):
        obstacle = notes.OTHERS
    return matching.Unresolved(
        number=row.pk,
        type=row.type,
        workspace_uid=row.workspace_uid,
        attempts=[describe_attempt(attempt=attempt, restores=restores) for attempt in attempts],
        obstacle=obstacle,
        alike=alike,
        may_be_sent=row.cancel_requested_at is None and row.attempt_count < lifecycle.MAX_ATTEMPTS,
    )


def _names_taken(attempt: models.Attempt) -> bool:
    """Whether its response names a workstation: of one that could be its own, the request would not be unknown."""
    late = getattr(attempt, "late_response", None)
    return attempt.names_taken or (late is not None and late.outcome == models.Attempt.Outcome.SUCCEEDED)


def describe_attempt(*, attempt: models.Attempt, restores: Sequence[models.Restore]) -> matching.SentAttempt:
    """What matching reads of an attempt; one that a restore made up may have begun at any time that was lost."""
    ended_at = attempt.ended_at or attempt.deadline_at
    claimed_at, claimed_tick = attempt.claimed_at, attempt.claimed_tick
    if attempt.worker == restore.WORKER:  # it stands for one that may have been made after the backup
        made = [row for row in restores if row.restored_tick >= claimed_tick > row.lost_since_tick]
        claimed_at = min([claimed_at, *(row.lost_since for row in made)])
        claimed_tick = min([claimed_tick, *(row.lost_since_tick for row in made)])
    return matching.SentAttempt(
        claimed_at=claimed_at,
        claimed_tick=claimed_tick,
        ended_at=ended_at,
        ended_tick=attempt.ended_tick or 0,
        proof_from=max(ended_at, attempt.deadline_at),
        span=attempt.deadline_at - attempt.claimed_at,
        scanned_at=getattr(attempt, "scanned_at", None),
    )


def _find_first_scan(*, account: models.Account, now: datetime) -> Case:
    """When a first one after an attempt's end began, where that end is in the future: the clock has stepped back."""
    complete = models.Scan.objects.filter(account=account, is_complete=True, begun_at__lte=now)
    after = complete.filter(begun_tick__gte=OuterRef("ended_tick")).order_by("begun_at")
    return Case(When(ended_at__gt=now, then=Subquery(after.values("begun_at")[:1])))


def _read_assignments(
    *, account: models.Account, restores: Sequence[models.Restore], since: int
) -> list[matching.Assignment]:
    """What was given away without proof, of what was listed after a tick or after the claims of those it was given."""
    outcomes = models.Attempt.Outcome
    rows = models.Attempt.objects.filter(outcome=outcomes.UNKNOWN, request__workstation__account=account)
    rows = rows.exclude(request__attempts__outcome=outcomes.SUCCEEDED)  # which is a proof
    rows = rows.select_related("request__workstation").defer("response", "request__workstation__raw")
    while True:
        found = [
            matching.Assignment(
                type=row.request.workstation.type,
                listed_tick=row.request.workstation.listed_tick or 0,
                asked_type=row.request.type,
                claimed_tick=describe_attempt(attempt=row, restores=restores).claimed_tick,
            )
            for row in rows.filter(request__workstation__listed_tick__gt=since)
        ]
        earliest = min((one.claimed_tick for one in found), default=since)
        if earliest >= since:
            return found
        since = earliest


def _read_state(
    *, account: models.Account, assignments: Sequence[matching.Assignment], now: datetime, steady_since: datetime
) -> matching.AccountState:
    walked = models.Scan.objects.filter(account=account, phase=models.Scan.Phase.CHECK)
    key, allowed_lag = account.key, completeness.choose_grace(account=account, now=now)
    complete = _read_scans(account=account, apart=allowed_lag)
    offsets = (scan.clock_offset for scan in complete if scan.clock_offset is not None)
    offset = next(offsets, None) if account.started_offset is None else account.started_offset
    return matching.AccountState(
        now=now,
        steady_since=steady_since,
        allowed_lag=allowed_lag,
        wait_unit=timedelta(seconds=settings.PORTAL_RECONCILE_GRACE),
        clock_offset=None if offset is None else timedelta(seconds=offset),
        scans=complete,
        documented_types=frozenset(models.Request.Type.values),
        walked_tick=walked.aggregate(newest=Max("ended_tick"))["newest"] or 0,
        assignments=assignments,
        has_no_lists=scans.has_no_lists(account=account, now=now),
        has_left_out=completeness.list_left_out(account=account).exists(),
        is_shared=account.shared_at is not None,
        # From its end on a timed pause is none, though only the next claim ends it.
        is_paused=key.is_paused and (key.paused_until is None or key.paused_until > now),
    )


def _read_scans(*, account: models.Account, apart: timedelta) -> list[models.Scan]:
    """The newest complete ones, and the newest of those that began so much earlier, however many are between."""
    complete = models.Scan.objects.filter(account=account, is_complete=True).order_by("-id")
    newest = list(complete[:_MOST_SCANS])
    if len(newest) < _MOST_SCANS:
        return newest
    earlier = complete.filter(id__lt=newest[-1].pk, begun_at__lte=newest[0].begun_at - apart)
    return [*newest, *earlier[:_MOST_SCANS]]


def _read_newcomers(
    *, account: models.Account, state: matching.AccountState, restores: Sequence[models.Restore], since: int
) -> list[matching.Newcomer]:
    """Workstations that no request owns and no scan had listed by the tick `since`."""
    rows = models.Workstation.objects.filter(account=account, request=None).exclude(listed_tick__lte=since)
    others = models.Workstation.objects.filter(workspace=OuterRef("workspace")).exclude(pk=OuterRef("pk"))
    named = models.Request.objects.filter(account=account, workspace_uid=OuterRef("workspace__uid"))
    # One that an operator releases is nobody's.
    free = models.Workstation.is_free() & Q(is_foreign=False, release_requested_at=None)
    rows = rows.filter(free | Q(made_for__isnull=False)).annotate(
        is_open=ExpressionWrapper(free, output_field=BooleanField()),
        is_in_flight=Exists(models.list_calls_before_listing()),
        is_named=Exists(named),
        # What only a scan that has not ended showed may have been there for long.
        workspace_tick=Subquery(
            others.order_by(F("listed_tick").asc(nulls_first=True)).values(tick=Coalesce("listed_tick", 0))[:1]
        ),
    )
    found = rows.select_related("workspace").defer("raw").order_by("id")
    return [_describe_newcomer(row, restores=restores, state=state) for row in found]


def _describe_newcomer(
    row: models.Workstation, *, restores: Sequence[models.Restore], state: matching.AccountState
) -> matching.Newcomer:
    space = row.workspace
    # A call that was lost may have been under way.
    lost = ((one.lost_since, one.restored_at + state.allowed_lag) for one in restores)
    return matching.Newcomer(
        id=row.pk,
        uid=row.uid,
        type=row.type,
        workspace_uid=space.uid if space else None,
        workspace_tick=row.workspace_tick,  # type: ignore[attr-defined]
        is_workspace_taken=space is not None and (space.owner_id is not None or row.is_named),  # type: ignore[attr-defined]
        started_at=row.created_at,
        listed_tick=row.listed_tick,
        is_nameless=row.is_nameless,
        is_in_flight=row.is_in_flight,  # type: ignore[attr-defined]
        is_open=row.is_open,  # type: ignore[attr-defined]
        made_for=row.made_for_id,
        must_confirm=any(
            matching.is_within(started_at=row.created_at, since=since, until=until, state=state)
            for since, until in lost
        ),
    )
