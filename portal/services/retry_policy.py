"""What becomes of a request after an attempt: one pure function over the failure catalogue."""

import random
from dataclasses import dataclass

from django.conf import settings

from portal import failures, models

MAX_ATTEMPTS = 4  # attempts in all, where the catalogue says "a few times"
_LONGEST_DELAY = 300.0  # seconds
LONGEST_RETRY_AFTER = 3600.0  # seconds; a provider that asks for more is asked again after an hour


@dataclass(frozen=True, kw_only=True)
class Next:
    """The request's next status; `delay` in seconds before it is tried again; whether the attempt counts as a try.

    `to_back`: behind the others of its requester, so that what meets the pause again and again does not block them.
    """

    status: models.Request.Status
    delay: float = 0.0
    counts: bool = True
    to_back: bool = False


def plan_next(*, failure: failures.Failure, tries: int, stopped_key: bool, retry_after: float | None) -> Next:
    """What the catalogue says for a failure at this number of tries, this one included.

    `stopped_key`: whether this very failure took the key from active to paused; only that request fails with it.
    """
    status = models.Request.Status
    if failure.pause.is_lasting:
        return Next(status=status.FAILED) if stopped_key else Next(status=status.QUEUED, counts=False, to_back=True)
    if failure.may_exist:
        return Next(status=status.UNKNOWN)
    if failure.retry is failures.Retry.NEVER or (failure.retry is failures.Retry.FEW and tries >= MAX_ATTEMPTS):
        return Next(status=status.FAILED)
    return Next(
        status=status.QUEUED,
        delay=choose_delay(tries=tries, retry_after=retry_after),
        to_back=failure.pause is failures.Pause.UNTIL_RETRY_AFTER,
    )


def choose_delay(*, tries: int, retry_after: float | None) -> float:
    """Seconds to wait: what the provider asked, capped; else exponential with jitter, so that retries spread."""
    if retry_after is not None:
        return min(retry_after, LONGEST_RETRY_AFTER)
    ceiling = min(settings.PORTAL_RETRY_DELAY * 2.0 ** min(tries - 1, 20), _LONGEST_DELAY)
    return float(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 (spreads load, keeps no secret)
