"""The facts about a request whose outcome is unknown, as `matching` needs them: attempts, scans, newcomers."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce

from portal import models
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services.key import circuit_breaker
from portal.services.reconciliation import completeness, lag, matching, restore, scans
from portal.services.requests import notes

_BATCH = 500  # requests in one statement
_MOST_SCANS = 10  # complete scans that are looked at, and as many older ones; few are enough where nothing steps


def list_open_attempts(*, account_id: int) -> QuerySet[models.Attempt]:
    """Attempts of unknown requests that may have created something that nobody knows of."""
    outcomes = models.Attempt.Outcome
    attempts = models.Attempt.objects.filter(
        request__account=account_id, request__status=models.Request.Status.UNKNOWN, outcome=outcomes.UNKNOWN
    )
    return attempts.exclude(late_response__outcome__in=(outcomes.FAILED, outcomes.NOT_SENT))


@compiled(account_id=BigIntegerField())
def read_newest_end(*, account_id: int) -> QuerySet[models.Attempt, datetime | None]:
    """When the newest open attempt ended that nobody is asked about; empty where there is none."""
    attempts = list_open_attempts(account_id=account_id).filter(request__operator_note="")
    return attempts.order_by("-ended_at").values_list("ended_at", flat=True)[:1]


class RequestHistory:
    """What is known of requests beside their attempts: read once, for many of them."""

    def __init__(self, *, account: models.Account, numbers: Collection[int]) -> None:
        self._restores = restore.list_restores(account=account)
        # By late responses: events tell of them, ended attempts stay as they are.
        self._name_taken = set[int]()
        for some in itertools.batched(numbers, _BATCH):
            late = models.Event.objects.filter(request_number__in=some, verb=Verb.LATE_RESPONSE)
            details = late.values_list("request_number", "detail")
            self._name_taken |= {number for number, detail in details if detail.get("names_taken")}

    def describe_request(
        self, *, portal_request: models.Request, attempts: Sequence[models.Attempt]
    ) -> matching.Unresolved:
        """The request with its open attempts, oldest first, as `matching` decides about it."""
        names_taken = portal_request.pk in self._name_taken or any(attempt.names_taken for attempt in attempts)
        obstacle = notes.OTHERS if names_taken else ""
        if attempts[-1].worker == restore.WORKER:
            obstacle = notes.RESTORED
        return matching.Unresolved(
            type=portal_request.type,
            workspace_uid=portal_request.workspace_uid,
            attempts=[describe_attempt(attempt=attempt, restores=self._restores) for attempt in attempts],
            obstacle=obstacle,
        )


def describe_attempt(*, attempt: models.Attempt, restores: Sequence[models.Restore]) -> matching.SentAttempt:
    """When the attempt was made and from when on the provider is done with it."""
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
    )


def read_account_state(*, account: models.Account, now: datetime, steady_since: datetime) -> matching.AccountState:
    """What is known of the account now: its newest complete scans, its lists' lag, and its provider's clock."""
    allowed_lag = lag.choose_grace(account=account, now=now)
    complete = _read_scans(account=account, apart=allowed_lag)
    scans_read = [
        matching.CompleteScan(
            id=scan.pk,
            begun_at=scan.begun_at,
            begun_tick=scan.begun_tick,
            own_count=scan.own_count,
            witness_tick=scan.witness_tick,
        )
        for scan in complete
    ]
    offsets = (scan.clock_offset for scan in complete if scan.clock_offset is not None)
    offset = next(offsets, None) if account.started_offset is None else account.started_offset
    return matching.AccountState(
        now=now,
        steady_since=steady_since,
        allowed_lag=allowed_lag,
        wait_unit=timedelta(seconds=settings.PORTAL_RECONCILE_GRACE),
        clock_offset=None if offset is None else timedelta(seconds=offset),
        scans=scans_read,
        documented_types=frozenset(models.Request.Type.values),
        has_no_lists=scans.has_no_lists(account=account, now=now),
        has_left_out=completeness.list_left_out(account=account).exists(),
        is_shared=account.shared_at is not None,
        is_paused=circuit_breaker.show_key(key=circuit_breaker.get_key(account=account)).is_paused,
    )


def _read_scans(*, account: models.Account, apart: timedelta) -> list[models.Scan]:
    """The newest complete ones, and the newest of those that began so much earlier, however many are between."""
    complete = models.Scan.objects.filter(account=account, is_complete=True).order_by("-id")
    newest = list(complete[:_MOST_SCANS])
    if not newest:
        return []
    earlier = complete.filter(id__lt=newest[-1].pk, begun_at__lte=newest[0].begun_at - apart)
    return [*newest, *earlier[:_MOST_SCANS]]


class Candidates:
    """Workstations that no request owns and no scan had listed by the tick `since`: read once, for many requests."""

    def __init__(self, *, account: models.Account, state: matching.AccountState, since: int) -> None:
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
        self.restores = restore.list_restores(account=account)
        self._found = [
            (row, _describe_newcomer(row, restores=self.restores, state=state))
            for row in rows.select_related("workspace").defer("raw").order_by("id")
        ]

    def list_newcomers(self, *, portal_request: models.Request, since: int) -> list[matching.Newcomer]:
        """Those that no scan had listed by this tick, and that may be the request's.

        One that a late response named is that request's, unless it has another.
        """
        return [
            replace(
                newcomer,
                named_by_late_response=row.made_for_id == portal_request.pk,
                for_other_request=for_other_request,
            )
            if (for_other_request := row.made_for_id not in (None, portal_request.pk)) or row.made_for_id
            else newcomer
            for row, newcomer in self._found
            if (newcomer.listed_tick is None or newcomer.listed_tick > since)
            and (row.is_open or row.made_for_id == portal_request.pk)  # type: ignore[attr-defined]
        ]


def _describe_newcomer(
    row: models.Workstation, *, restores: Sequence[models.Restore], state: matching.AccountState
) -> matching.Newcomer:
    space = row.workspace
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
        must_confirm=any(
            matching.is_within(
                started_at=row.created_at,
                since=lost.lost_since,
                until=lost.restored_at + state.allowed_lag,
                state=state,
            )
            for lost in restores  # a call that was lost may have been under way
        ),
    )
