"""Claim, call, record: how a request reaches the provider. The three are never mixed.

Claim and record are one short transaction each. The call between them has no transaction open, and on PostgreSQL holds
no connection. All locks are taken in one order: the key, then the request.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from portal import agentstation, failures, models
from portal.services import accounts, audit, clock, keyhold, mirror, retry, storable


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
        portal_request = models.Request.objects.due(account).select_for_update().first()
        return _create_attempt(portal_request, worker=worker, boottime=boottime) if portal_request else None


def _has_room(*, key: models.Key) -> bool:
    now = clock.read_clock(account=key.account)
    in_flight = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING, request__account=key.account)
    return keyhold.may_send(key=key, now=now) and in_flight.count() < settings.PORTAL_CALLS_IN_FLIGHT


def _create_attempt(portal_request: models.Request, *, worker: str, boottime: float) -> Call:
    models.check_transition(before=portal_request.status, after=models.Request.Status.SENDING)
    portal_request.status, portal_request.next_attempt_at = models.Request.Status.SENDING, None
    portal_request.save(update_fields=["status", "next_attempt_at"])
    send_within = settings.PORTAL_SEND_MARGIN + settings.AGENTSTATION_TOTAL_TIMEOUT
    attempt = models.Attempt.objects.create(
        request=portal_request,
        number=portal_request.attempts.count() + 1,
        worker=worker,
        deadline_at=Now() + timedelta(seconds=send_within + settings.PORTAL_RECORD_MARGIN),
    )
    audit.record_event(
        actor=None, verb="claim", target=attempt, request_number=portal_request.pk, detail={"worker": worker}
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


@transaction.atomic
def record_result(*, call: Call, result: Result) -> None:
    """Write what the call ended in; past the attempt's deadline, as a late answer. Safe to repeat after an error."""
    attempt = models.Attempt.objects.select_related("request__account", "request__requester").get(pk=call.attempt_id)
    key = keyhold.lock_key(account=attempt.request.account)
    portal_request = models.Request.objects.select_for_update().get(pk=attempt.request_id)
    ours = models.Attempt.objects.filter(pk=attempt.pk, outcome=models.Attempt.Outcome.SENDING).update(
        outcome=result.outcome, ended_at=Now(), **_describe(result), retry_after=_retry_after(result)
    )
    if not ours:
        _record_late(attempt=attempt, portal_request=portal_request, result=result)
        return
    audit.record_event(
        actor=None,
        verb="answer",
        target=attempt,
        request_number=portal_request.pk,
        detail={"outcome": result.outcome, "failure": result.failure.code if result.failure else ""},
    )
    if result.workstation is not None:
        _adopt(portal_request, workstation=result.workstation)
    else:
        _move_on(portal_request, key=key, result=result)


def _describe(result: Result) -> dict[str, object]:
    """The columns that an attempt and a late answer have in common."""
    answer = result.answer
    return {
        "failure": result.failure.code if result.failure else "",
        "http_status": answer.status if answer else None,
        "error": storable.escape_text(answer.error) if answer else "",
        "message": storable.escape_text(answer.message) if answer else "",
        "answer": answer.body if answer else None,
    }


def _retry_after(result: Result) -> float | None:
    return result.answer.retry_after if result.answer else None


def _adopt(portal_request: models.Request, *, workstation: agentstation.Workstation) -> None:
    mirror.store_workstation(account=portal_request.account, workstation=workstation, portal_request=portal_request)
    _set_status(portal_request, status=models.Request.Status.SUCCEEDED)


def _move_on(portal_request: models.Request, *, key: models.Key, result: Result) -> None:
    """After an attempt that made nothing, or perhaps nothing."""
    failure = result.failure
    if failure is None:  # given back: it keeps its place in the queue
        _set_status(portal_request, status=models.Request.Status.QUEUED)
        return
    stopped_key = _hold(key, failure=failure, tries=portal_request.tries + 1, retry_after=_retry_after(result))
    step = retry.plan_next(
        failure=failure,
        tries=portal_request.tries + 1,
        stopped_key=stopped_key,
        retry_after=_retry_after(result),
    )
    portal_request.tries = F("tries") + 1 if step.counts else F("tries")
    _set_status(portal_request, status=step.status, failure=failure, delay=step.delay)


def _hold(key: models.Key, *, failure: failures.Failure, tries: int, retry_after: float | None) -> bool:
    """Hold the key where the catalogue says so. True where this stopped an open key."""
    if failure.hold is failures.Hold.NONE:
        return False
    timed = failure.hold is failures.Hold.UNTIL_RETRY_AFTER
    seconds = retry.choose_delay(tries=tries, retry_after=retry_after) if timed else None
    return keyhold.hold_key(key=key, failure=failure, now=clock.read_clock(account=key.account), seconds=seconds)


def _set_status(
    portal_request: models.Request,
    *,
    status: models.Request.Status,
    failure: failures.Failure | None = None,
    delay: float = 0.0,
) -> None:
    models.check_transition(before=portal_request.status, after=status)
    states = models.Request.Status
    portal_request.status = status
    portal_request.failure = failure.code if failure and status in (states.FAILED, states.UNKNOWN) else ""
    portal_request.next_attempt_at = Now() + timedelta(seconds=delay) if status == states.QUEUED and delay else None
    portal_request.ended_at = Now() if status in (states.SUCCEEDED, states.FAILED, states.CANCELLED) else None
    portal_request.save(update_fields=["status", "failure", "tries", "next_attempt_at", "ended_at"])


def _record_late(*, attempt: models.Attempt, portal_request: models.Request, result: Result) -> None:
    """Keep an answer that came after the deadline, and use it where the request's outcome is still unknown."""
    description = _describe(result)
    if (attempt.outcome, attempt.failure) == (result.outcome, description["failure"]):
        return  # recorded already, by a transaction whose commit was not confirmed; or late news that is none
    late, is_new = models.LateAnswer.objects.get_or_create(
        attempt=attempt, defaults={"outcome": result.outcome, **description}
    )
    if not is_new:
        return
    audit.record_event(
        actor=None,
        verb="late-answer",
        target=attempt,
        request_number=portal_request.pk,
        detail={"outcome": late.outcome, "failure": late.failure},
    )
    is_unknown = portal_request.status == models.Request.Status.UNKNOWN
    if result.workstation is not None and is_unknown:
        _adopt(portal_request, workstation=result.workstation)
    elif result.workstation is not None:
        mirror.store_workstation(account=portal_request.account, workstation=result.workstation)
    elif is_unknown and result.failure is not None and not result.failure.may_exist:
        _set_status(portal_request, status=models.Request.Status.FAILED, failure=result.failure)
