"""Claim and call: how a request reaches the provider. `results` records the outcome.

Claim and record are short transactions, which `batch` joins. The call between them has no transaction open, and on
PostgreSQL holds no connection but for one question before its first byte. Locks are taken in one order: key, request.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import BigIntegerField, CharField, Count, DurationField, JSONField, Q, QuerySet
from django.db.models.expressions import Case, Exists, OuterRef, RawSQL, Subquery, When
from django.db.models.functions import Coalesce, JSONObject

from portal import agentstation, failures, models
from portal.db import clock, places, release_connection
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, database_moved, pace
from portal.services.mirrors import sanitize
from portal.services.requests import fair_queue, ownership
from portal.services.runtime import calls

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

_FACTS = ("identity", "place", "timeline", "timeline_tick", "doubt")  # of the database's row


@dataclass(frozen=True, kw_only=True)
class Call:
    """A claimed attempt, with all that the call needs. `send_before` is a reading of agentstation.boottime()."""

    attempt_id: int
    account_id: int
    token: str
    type: str
    workspace_uid: str
    send_before: float


@dataclass(frozen=True, kw_only=True)
class Result(calls.Result[agentstation.Workstation]):
    @property
    def outcome(self) -> models.Attempt.Outcome:
        """What the result means for its attempt; UNKNOWN where a workstation may exist."""
        if self.value is not None:
            return models.Attempt.Outcome.SUCCEEDED
        if self.failure is None:
            return models.Attempt.Outcome.NOT_SENT
        return models.Attempt.Outcome.UNKNOWN if self.failure.may_exist else models.Attempt.Outcome.FAILED


def look_for_requests() -> tuple[models.Account, bool]:
    """The account that this process serves, and whether a request of it waits for nothing but its turn."""
    in_use = accounts.list_in_use().annotate(is_any_due=Exists(models.Request.objects.due(OuterRef("pk"))))
    account = accounts.get_current_account(among=list(in_use))
    return account, getattr(account, "is_any_due", False)  # one that was made just now has none


def claim_with_key(*, key: models.Key, worker: str, most: int, boottime: float) -> tuple[list[Call], bool]:
    """Claim at most so many under the locked key, in the caller's transaction. `boottime` was read before the lock.

    Returns also whether more may be due.
    """
    if key.is_paused:
        circuit_breaker.end_timed_pause(key=key, now=clock.read_clock())
    claimable = [] if key.is_paused else _read_claimable_now(key, most=most)
    if not claimable:  # whoever waits may not ask any more, or another worker was quicker
        database_moved.pause_if_moved(key=key)
        return [], key.is_paused
    state = claimable[0]
    row = models.Database(**state.database) if state.database else None
    database_moved.pause_if_moved(key=key, row=row, place=places.read_place(row=state.place))
    oldest: Sequence[models.Request] = claimable
    claimed, room = list[Call](), min(most, _count_room(key=key, state=state))
    while (left := room - len(claimed)) > 0:
        found = fair_queue.add_further(oldest=oldest, most=left)
        admitted = ownership.admit_requests(portal_requests=found)
        if admitted:
            claimed += _create_attempts(admitted, key=key, worker=worker, now=state.now, boottime=boottime)
        if len(admitted) == len(found):
            return claimed, len(found) == left
        # One has left the queue, and its requester's next may be due.
        oldest = list(fair_queue.list_oldest(account_id=key.account_id, most=room - len(claimed)))
    return claimed, True


def find_claimed(*, calls: Sequence[Call]) -> list[Call]:
    """Of what was claimed by a transaction whose commit was not confirmed, what is in the database."""
    numbers = [call.attempt_id for call in calls]
    attempts = models.Attempt.objects.filter(pk__in=numbers, outcome=models.Attempt.Outcome.SENDING)
    tokens = set(attempts.values_list("token", flat=True))
    return [call for call in calls if call.token in tokens]


class _Annotations(TypedDict):
    now: datetime  # by the database
    database: dict[str, Any] | None  # columns of its row; None until there is one
    place: list[Any] | None  # as `places` reads it
    is_accepted: bool  # this process's key, by the account
    in_flight: int


type _Claimable = WithAnnotations[models.Request, _Annotations]


def _read_claimable_now(key: models.Key, *, most: int) -> list[_Claimable]:
    fingerprint, place = accounts.fingerprint_key(account=key.account), places.choose_sql()
    margin = calls.get_margin()
    return _read_claimable(account_id=key.account_id, most=most, fingerprint=fingerprint, place=place, margin=margin)


@compiled(account_id=BigIntegerField(), fingerprint=CharField(), margin=DurationField())
def _read_claimable(
    *, account_id: int, most: int, fingerprint: str, place: str, margin: timedelta
) -> QuerySet[_Claimable]:
    """Everybody's oldest request, each with all else that a claim depends on, under the locked key: in one query."""
    in_flight = _list_in_flight(account_id, margin).order_by().values("request__account").annotate(count=Count("pk"))
    return fair_queue.list_oldest(account_id=account_id, most=most).annotate(
        now=Now(),
        database=Subquery(models.Database.objects.values(facts=JSONObject(**{name: name for name in _FACTS}))),
        place=RawSQL(place, [], output_field=JSONField()),  # noqa: S611 (our own words)
        is_accepted=Exists(accounts.list_accepted(account_id=account_id, fingerprint=fingerprint)),
        in_flight=Coalesce(Subquery(in_flight.values("count")), 0),
    )


def _list_in_flight(account_id: int, margin: timedelta) -> QuerySet[models.Attempt]:
    """What may be under way. The record margin before its deadline a call is over, whoever has yet to say so."""
    return models.Attempt.objects.filter(
        request__account=account_id, outcome=models.Attempt.Outcome.SENDING, deadline_at__gt=Now() + margin
    )


def _count_room(*, key: models.Key, state: _Claimable) -> int:
    """How many attempts the key may be used for now, within the team's caps. While it resumes, for one at a time."""
    is_scan_wanted = key.account.baseline_scan == models.Account.BaselineScan.WANTED
    if key.is_paused or not state.is_accepted or is_scan_wanted:
        return 0
    room = settings.PORTAL_CALLS_IN_FLIGHT - state.in_flight
    if key.is_resuming:
        # What was in flight when the pause ended was claimed before it.
        resumed = _list_in_flight(key.account_id, calls.get_margin()).filter(claimed_tick__gte=key.resumed_tick)
        room = min(room, 0 if resumed.exists() else 1)
    ahead = pace.count_ahead(account=key.account)
    return min(room, pace.count_room(account=key.account, now=state.now, ahead=ahead))


def _create_attempts(
    portal_requests: Sequence[models.Request], *, key: models.Key, worker: str, now: datetime, boottime: float
) -> list[Call]:
    """Write an attempt for each of the locked requests, in a few statements however many they are."""
    for tick, portal_request in enumerate(portal_requests, start=key.tick + 1):
        portal_request.claimed_tick = tick
    _begin_sending(portal_requests)
    fingerprint = accounts.fingerprint_key(account=key.account)
    attempts = [
        models.Attempt(
            request=portal_request,
            number=portal_request.last_number + 1,
            worker=worker,
            token=secrets.token_hex(16),
            claimed_at=now,
            claimed_tick=portal_request.claimed_tick,
            key_fingerprint=fingerprint,
            deadline_at=now + calls.get_time_limit(),
        )
        for portal_request in portal_requests
    ]
    models.Attempt.objects.bulk_create(attempts)
    key.change(tick=key.tick + len(attempts))
    _record_claims(attempts)
    send_before = boottime + calls.get_send_seconds()
    return [
        Call(
            attempt_id=attempt.pk,
            account_id=key.account_id,
            token=attempt.token,
            type=attempt.request.type,
            workspace_uid=attempt.request.workspace_uid,
            send_before=send_before,
        )
        for attempt in attempts
    ]


def _begin_sending(portal_requests: Sequence[models.Request]) -> None:
    for portal_request in portal_requests:
        models.check_transition(before=portal_request.status, after=models.Request.Status.SENDING)
        portal_request.status, portal_request.next_attempt_at = models.Request.Status.SENDING, None
    rows = models.Request.objects.filter(pk__in=[portal_request.pk for portal_request in portal_requests])
    ticks = Case(*(When(pk=one.pk, then=one.claimed_tick) for one in portal_requests))
    rows.update(status=models.Request.Status.SENDING, next_attempt_at=None, claimed_tick=ticks)


def _record_claims(attempts: Sequence[models.Attempt]) -> None:
    with audit.collect_events():
        for attempt in attempts:
            change = {"before": models.Request.Status.QUEUED, "after": attempt.request.status}
            detail = {"worker": attempt.worker, **change}
            audit.record(Verb.CLAIM, attempt, detail=detail, rows=[attempt, attempt.request])


def send_call(*, call: Call, client: agentstation.Client) -> Result:
    """Make the one POST. Sends nothing if the attempt is no longer ours when the connection stands, or too old."""
    sent = calls.make_call(
        call=lambda: client.request_workstation(
            type=call.type,
            workspace_id=call.workspace_uid or None,
            send_before=call.send_before,
            may_send=lambda seconds: _may_still_send(call, seconds=seconds),
        )
    )
    if sent.value is None:
        return Result(failure=sent.failure, response=sent.response)
    workstation, response = sent.value.value, sent.value.response
    if not sanitize.is_storable(uid=workstation.uid):
        return Result(failure=failures.UNREADABLE, response=response)
    return Result(value=workstation, response=response)


def _may_still_send(call: Call, *, seconds: float) -> bool:
    """Whether the attempt may still be sent, by the database's word and clock, for a call that takes so long.

    What it may still take, and the record margin, have to fit before the deadline. Nor is it sent where an earlier
    attempt of its request has named a workstation meanwhile, or the database is silent for longer than the send margin.
    """
    asked_at = agentstation.boottime()
    left = timedelta(seconds=max(seconds, 0.0)) + calls.get_margin()
    try:
        ours = _find_ours(attempt_id=call.attempt_id, token=call.token, left=left)
        return bool(ours) and agentstation.boottime() - asked_at <= settings.PORTAL_SEND_MARGIN
    except DatabaseError:
        return False
    finally:
        release_connection()


@compiled(attempt_id=BigIntegerField(), token=CharField(), left=DurationField())
def _find_ours(*, attempt_id: int, token: str, left: timedelta) -> QuerySet[models.Attempt, int]:
    moved = Q(request__account__key__state=models.Key.State.PAUSED, request__account__key__cause=models.DATABASE_MOVED)
    named = models.Workstation.objects.filter(made_for__isnull=False).values("made_for")
    ours = models.Attempt.objects.filter(
        pk=attempt_id, token=token, outcome=models.Attempt.Outcome.SENDING, deadline_at__gte=Now() + left
    )
    return ours.exclude(moved | Q(request__in=named)).values_list("pk", flat=True)
