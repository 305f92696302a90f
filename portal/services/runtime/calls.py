"""A call to the provider that was claimed before it is made: how long it may take, and what it ended in."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection

from portal import agentstation, failures
from portal.db import release_connection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Result[Value]:
    """What a call ended in: a value, or the failure, or (neither) that nothing was sent in time."""

    value: Value | None = None
    failure: failures.Failure | None = None
    response: agentstation.Response | None = None

    @property
    def retry_after(self) -> float | None:
        """Seconds, as the provider asked."""
        return self.response.retry_after if self.response else None


def get_send_seconds(*, longest: float = math.inf) -> float:
    """Seconds from its claim until a call is over that begins in time, and takes no longer than `longest`."""
    return float(settings.PORTAL_SEND_MARGIN + min(longest, settings.AGENTSTATION_TOTAL_TIMEOUT))


def get_margin() -> timedelta:
    """How long the recording of a response may take."""
    return timedelta(seconds=settings.PORTAL_RECORD_MARGIN)


def get_time_limit(*, longest: float = math.inf) -> timedelta:
    """From the claim to the deadline: then what the call ended in is recorded, or is not waited for any more."""
    return timedelta(seconds=get_send_seconds(longest=longest)) + get_margin()


def make_call[Value](*, call: Callable[[], Value]) -> Result[Value]:
    """Make the call. Whatever breaks ends in a result: only whoever records it decides what follows."""
    if connection.in_atomic_block:
        raise RuntimeError("no transaction may be open while the provider is asked")
    # A call takes up to a minute: on PostgreSQL others use the connection meanwhile.
    release_connection()
    try:
        return Result(value=call())
    except agentstation.SendTooLate:
        return Result()
    except agentstation.AgentStationError as error:
        return Result(failure=failures.classify_error(error), response=error.response)
    except Exception:
        logger.exception("A call broke in our own code; its outcome is unknown.")
        return Result(failure=failures.NO_ANSWER)
