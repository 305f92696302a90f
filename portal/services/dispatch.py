"""Claim and call: how a request reaches the provider. `record` writes what came of it; the three are never mixed.

Claim and record are one short transaction each. The call between them has no transaction open, and on PostgreSQL holds
no connection. All locks are taken in one order: the key, then the request.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from portal import agentstation, failures, models
from portal.models.clock import Now
from portal.services import accounts, audit, clock, keyhold, mirror, turns


@dataclass(frozen=True, kw_only=True)
class Call:
    """A claimed attempt, with all that the call needs. `send_before` is a reading of agentstation.boottime()."""

    attempt_id: int
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
        if not _has_room(key=key):
            return None
        portal_request = turns.find_next(account=account)
        if portal_request is None:
            return None
        turns.take_turn(key=key, person_id=portal_request.requester_id)
        return _create_attempt(portal_request, key=key, worker=worker, boottime=boottime)


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
    if settings.PORTAL_CALLS_PER_MINUTE:
        recent = attempts.filter(claimed_at__gt=now - timedelta(minutes=1))
        if recent.count() >= settings.PORTAL_CALLS_PER_MINUTE:
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
        claimed_tick=keyhold.advance_tick(key=key),
        key_fingerprint=accounts.fingerprint_key(account=key.account),
        deadline_at=Now() + timedelta(seconds=send_within + settings.PORTAL_RECORD_MARGIN),
    )
    audit.record_event(
        actor=None,
        verb="claim",
        target=attempt,
        request_number=portal_request.pk,
        detail={"worker": worker, "before": models.Request.Status.QUEUED, "after": portal_request.status},
        rows=[attempt, portal_request],
    )
    return Call(
        attempt_id=attempt.pk,
        type=portal_request.type,
        workspace_uid=portal_request.workspace_uid,
        send_before=boottime + send_within,
    )


def send_call(*, call: Call, client: agentstation.Client) -> Result:
    """Make the one POST. Sends nothing if the machine was paused for so long that the deadline may be near."""
    if connection.in_atomic_block:
        raise RuntimeError("no transaction may be open while the provider is asked")
    if connection.vendor == "postgresql":
        connection.close()  # gives it back to the pool: a slow provider must not use up the database's connections
    try:
        reply = client.request_workstation(
            type=call.type, workspace_id=call.workspace_uid or None, send_before=call.send_before
        )
    except agentstation.SendTooLate:
        return Result()
    except agentstation.AgentStationError as error:
        return Result(failure=failures.classify_error(error), answer=error.answer)
    if not mirror.has_storable_uid(workstation=reply.value):
        return Result(failure=failures.UNREADABLE, answer=reply.answer)
    return Result(workstation=reply.value, answer=reply.answer)
