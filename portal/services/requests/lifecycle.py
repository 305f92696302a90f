"""Moves a locked request from one status to the next, also to where it goes after an attempt that failed."""

from datetime import timedelta
from functools import partial

from django.db.models import F

from portal import failures, models
from portal.models.clock import Now, Seconds
from portal.services.key import pace

type Change = dict[str, object]

MAX_ATTEMPTS = 4  # attempts in all, where the catalogue says "a few times"

_MOVED = (
    *("status", "was_unknown", "failure", "attempt_count", "next_attempt_at"),
    *("ended_at", "took", "operator_note", "queued_at", "paused_seconds_before"),
)


def move_request(
    *,
    portal_request: models.Request,
    status: models.Request.Status,
    failure: failures.Failure | None = None,
    delay: float = 0.0,
    to_back: bool = False,
    count_attempt: bool = False,
) -> Change:
    """Give the request its next status; the failure stays where the status has one; `delay` in seconds when queued.

    `to_back`: it queues anew, behind the others of its requester. `count_attempt`: it has had one more. Returns what
    changed, for the event.
    """
    change: Change = {"before": portal_request.status, "after": str(status)}
    models.check_transition(before=portal_request.status, after=status)
    states = models.Request.Status
    to_back = to_back or portal_request.status == states.UNKNOWN
    portal_request.status = status
    portal_request.was_unknown |= status == states.UNKNOWN
    portal_request.failure = failure.code if failure and status in (states.FAILED, states.UNKNOWN) else ""
    portal_request.next_attempt_at = Now() + timedelta(seconds=delay) if status == states.QUEUED and delay else None
    is_over = status in (states.SUCCEEDED, states.FAILED, states.CANCELLED)
    portal_request.ended_at = Now() if is_over else None
    portal_request.took = Seconds(Now(), F("created_at")) if is_over else None
    portal_request.operator_note = ""
    if to_back and status == states.QUEUED:
        portal_request.queued_at = Now()
        portal_request.paused_seconds_before = portal_request.account.key.paused_seconds
    if count_attempt:
        portal_request.attempt_count = F("attempt_count") + 1
    portal_request.save(update_fields=_MOVED)
    return change


def make_unknown(*, portal_request: models.Request, count_attempt: bool) -> Change:
    """Nobody knows what its last attempt made."""
    return move_request(
        portal_request=portal_request,
        status=models.Request.Status.UNKNOWN,
        failure=failures.NO_ANSWER,
        count_attempt=count_attempt,
    )


def move_on(
    *, portal_request: models.Request, failure: failures.Failure, is_spared: bool, retry_after: float | None
) -> None:
    """Move the request on as the catalogue says, after an attempt that failed, or was found out to have failed.

    `is_spared`: another request has failed in this way already, and the key is paused for it.
    """
    states = models.Request.Status
    is_sending = portal_request.status == states.SENDING  # else the attempt is counted already
    attempt_count = portal_request.attempt_count + is_sending
    is_last = failure.retry is failures.Retry.FEW and attempt_count >= MAX_ATTEMPTS
    move = partial(move_request, portal_request=portal_request, failure=failure)
    if is_spared:
        # Behind the others of its requester, so that what meets the pause again and again does not block them.
        move(status=states.QUEUED, to_back=True)
    elif failure.may_exist:
        move(status=states.UNKNOWN, count_attempt=is_sending)
    elif failure.retry is failures.Retry.NEVER or is_last:
        move(status=states.FAILED, count_attempt=is_sending)
    else:
        move(
            status=states.QUEUED,
            delay=pace.choose_delay(attempt_count=attempt_count, retry_after=retry_after),
            to_back=failure.pause is failures.Pause.UNTIL_RETRY_AFTER,
            # What is tried until it works must not use up the few tries that another failure has.
            count_attempt=is_sending and failure.retry is not failures.Retry.UNTIL_IT_WORKS,
        )
