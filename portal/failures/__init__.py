"""The failure catalogue: the one source of what a failure means, for pages, admin, docs, retries and pauses."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.text import format_lazy

from portal import agentstation
from portal.failures import rows
from portal.failures.catalogue import Actor, Failure, Pause, Retry, Words

__all__ = ["Actor", "Failure", "Pause", "Retry", "Words"]

CATALOGUE: Mapping[str, Failure] = MappingProxyType({failure.code: failure for failure in rows.ROWS})
CHOICES = [(failure.code, format_lazy("{}: {}", failure.code, failure.title)) for failure in rows.ROWS]
WORKSPACE_NOT_FOUND = CATALOGUE["422"]
NO_ANSWER = CATALOGUE["no-answer"]
UNREADABLE = CATALOGUE["unreadable"]
WAITED_TOO_LONG = CATALOGUE["waited-too-long"]
NOT_SENT = CATALOGUE["not-sent"]


def classify_error(error: agentstation.AgentStationError) -> Failure:
    for failure in rows.ROWS:
        if isinstance(error, failure.errors):
            return failure
    raise LookupError(f"{type(error).__name__} is not in the catalogue")


def make_clause(title: str) -> str:
    is_name = not title.split()[0][1:].islower()  # AgentStation, API
    return title if is_name else f"{title[0].lower()}{title[1:]}"
