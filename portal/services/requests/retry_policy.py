"""What becomes of a request after an attempt: one pure function over the failure catalogue."""

from dataclasses import dataclass

from portal import failures, models
from portal.services.key import pace

MAX_ATTEMPTS = 4  # attempts in all, where the catalogue says "a few times"


@dataclass(frozen=True, kw_only=True)
class Next:
    """The request's next status; `delay` in seconds before it is tried again; whether it counts against the limit.

    `to_back`: behind the others of its requester, so that what meets the pause again and again does not block them.
    """

    status: models.Request.Status
    delay: float = 0.0
    counts: bool = True
    to_back: bool = False


def plan_next(*, failure: failures.Failure, attempt_count: int, is_spared: bool, retry_after: float | None) -> Next:
    """What the catalogue says for a failure at this number of counted attempts, this one included.

    `is_spared`: another request has failed in this way already, and the key is paused for it.
    """
    status = models.Request.Status
    if is_spared:
        return Next(status=status.QUEUED, counts=False, to_back=True)
    if failure.may_exist:
        return Next(status=status.UNKNOWN)
    if failure.retry is failures.Retry.NEVER or (failure.retry is failures.Retry.FEW and attempt_count >= MAX_ATTEMPTS):
        return Next(status=status.FAILED)
    return Next(
        status=status.QUEUED,
        delay=pace.choose_delay(attempt_count=attempt_count, retry_after=retry_after),
        # What is tried until it works must not use up the few tries that another failure has.
        counts=failure.retry is not failures.Retry.UNTIL_IT_WORKS,
        to_back=failure.pause is failures.Pause.UNTIL_RETRY_AFTER,
    )
