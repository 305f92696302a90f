"""Claim and call: how a request reaches the provider. `record` writes what came of it; the three are never mixed.

Claim and record are one short transaction each. The call between them has no transaction open, and on PostgreSQL holds
no connection but for the one question before its first byte. All locks are taken in one order: the key, then the
request.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from portal import agentstation, failures, models
from portal.db import release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import accounts, audit, clock, identity, keyhold, mirror, ownership, pace, turns

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A claimed attempt, with all that the call needs. `send_before` is a reading of agentstation.boottime()."""

    attempt_id: int
    token: str
    type: str
    workspace_uid: str
    send_before: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a call ended in: the workstation, or the failure, or (neither) that nothing was sent in time."""

    workstation: agentstation.Workstation | None = None
    failure: failures.Failure | None = None
    answer: agentstation.Answer | None = None

    @property
    def outcome(self) -> models.Attempt.Outcome:
        """The attempt's outcome."""
        if self.workstation is not None:
            return models.Attempt.Outcome.SUCCEEDED
        if self.failure is None:
            return models.Attempt.Outcome.GIVEN_BACK
        return models.Attempt.Outcome.UNKNOWN if self.failure.may_exist else models.Attempt.Outcome.FAILED


def claim_request(*, worker: str) -> Call | None:
    """Take the next request that may be sent now and write its attempt; None where there is none.

    Looks without a lock first, so that an idle worker does not take SQLite's only write lock.
    """
    boottime = agentstation.boottime()
    account = accounts.get_current_account()
    if not models.Request.objects.due(account).exists():
        return None
    with transaction.atomic():
        key = keyhold.lock_key(account=account)
        identity.check_database(key=key)
        if not _has_room(key=key):
            return None
        portal_request = _find_admitted(account=account)
        if portal_request is None:
            return None
        turns.take_turn(key=key, person_id=portal_request.requester_id)
        return _create_attempt(portal_request, key=key, worker=worker, boottime=boottime)


def _find_admitted(*, account: models.Account) -> models.Request | None:
    """The next request whose workspace is its requester's, or nobody's yet; others leave the queue on the way."""
    while (portal_request := turns.find_next(account=account)) is not None:
        if ownership.admit_request(portal_request=portal_request):
            return portal_request
    return None


def _has_room(*, key: models.Key) -> bool:
    """Whether the key may be used now, within the team's caps. While it resumes, one attempt is in flight at a time.

    Past its deadline a call is over, whoever has yet to say so: it takes nobody's place.
    """
    now = clock.read_clock(account=key.account)
    keyhold.end_timed_pause(key=key, now=now)
    if not keyhold.may_send(key=key) or key.account.first_look == models.Account.FirstLook.WANTED:
        return False
    attempts = models.Attempt.objects.filter(request__account=key.account)
    in_flight = attempts.filter(outcome=models.Attempt.Outcome.SENDING, deadline_at__gt=now)
    if key.is_resuming and _has_begun_again(key=key, in_flight=in_flight):
        return False
    if not pace.has_room(account=key.account, now=now, ahead=pace.count_due_releases(account=key.account)):
        return False
    return in_flight.count() < settings.PORTAL_CALLS_IN_FLIGHT


def _has_begun_again(*, key: models.Key, in_flight: QuerySet[models.Attempt]) -> bool:
    """Whether an attempt that was claimed since the hold ended is under way."""
    return in_flight.filter(claimed_tick__gte=key.resumed_tick).exists()


def _create_attempt(portal_request: models.Request, *, key: models.Key, worker: str, boottime: float) -> Call:
    models.check_transition(before=portal_request.status, after=models.Request.Status.SENDING)
    portal_request.status, portal_request.next_attempt_at = models.Request.Status.SENDING, None
    portal_request.save(update_fields=["status", "next_attempt_at"])
    send_within = settings.PORTAL_SEND_MARGIN + settings.AGENTSTATION_TOTAL_TIMEOUT
    attempt = models.Attempt.objects.create(
        request=portal_request,
        number=portal_request.attempts.count() + 1,
        worker=worker,
        token=secrets.token_hex(16),
        claimed_at=Now(),
        claimed_tick=keyhold.advance_tick(key=key),
        key_fingerprint=accounts.fingerprint_key(account=key.account),
        deadline_at=Now() + timedelta(seconds=send_within + settings.PORTAL_RECORD_MARGIN),
    )
    audit.record(
        Verb.CLAIM,
        attempt,
        detail={"worker": worker, "before": models.Request.Status.QUEUED, "after": portal_request.status},
        rows=[attempt, portal_request],
    )
    return Call(
        attempt_id=attempt.pk,
        token=attempt.token,
        type=portal_request.type,
        workspace_uid=portal_request.workspace_uid,
        send_before=boottime + send_within,
    )


def send_call(*, call: Call, client: agentstation.Client) -> Result:
    """Make the one POST. Sends nothing if the attempt is no longer ours when the connection stands, or too old.

    Whatever breaks ends in a result: only whoever records it decides what follows.
    """
    if connection.in_atomic_block:
        raise RuntimeError("no transaction may be open while the provider is asked")
    release_connection()
    try:
        return _send(call=call, client=client)
    except Exception:
        logger.exception("The call of attempt %d broke in our own code; its outcome is unknown.", call.attempt_id)
        return Result(failure=failures.NO_ANSWER)


def _send(*, call: Call, client: agentstation.Client) -> Result:
    try:
        reply = client.request_workstation(
            type=call.type,
            workspace_id=call.workspace_uid or None,
            send_before=call.send_before,
            may_send=lambda seconds: _is_ours(call, seconds=seconds),
        )
    except agentstation.SendTooLate:
        return Result()
    except agentstation.AgentStationError as error:
        return Result(failure=failures.classify_error(error), answer=error.answer)
    if not mirror.has_storable_uid(workstation=reply.value):
        return Result(failure=failures.UNREADABLE, answer=reply.answer)
    return Result(workstation=reply.value, answer=reply.answer)


def _is_ours(call: Call, *, seconds: float) -> bool:
    """Whether the attempt may still be sent, by the database's word and clock, for a call that takes so long.

    It may not where an earlier attempt of its request has named a workstation meanwhile.
    No answer within the send margin is a no: the attempt's deadline counts on it.
    """
    asked_at = agentstation.boottime()
    over_by = Now() + timedelta(seconds=max(seconds, 0.0) + settings.PORTAL_RECORD_MARGIN)
    moved = Q(request__account__key__state=models.Key.State.HELD, request__account__key__cause=models.DATABASE_MOVED)
    ours = models.Attempt.objects.filter(
        pk=call.attempt_id, token=call.token, outcome=models.Attempt.Outcome.SENDING, deadline_at__gte=over_by
    ).exclude(moved | Q(request__in=models.Workstation.objects.filter(made_for__isnull=False).values("made_for")))
    try:
        return ours.exists() and agentstation.boottime() - asked_at <= settings.PORTAL_SEND_MARGIN
    except DatabaseError:
        return False
    finally:
        release_connection()
