"""The last pauses of the key, from the audit log, and what to tell who can end one."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from portal import failures, models
from portal.models.event import Verb

_MOST = 5
_LOOKED_AT = 50  # events of each verb; few are of other accounts' keys
_VERBS = (Verb.PAUSE, Verb.RESUME)


def read_pauses(*, key: models.Key) -> list[dict[str, object]]:
    """The key's last pauses, newest first. Two queries.

    `event`: its beginning. `ended_at` is empty while it lasts; `ended_by` where nobody but the portal ended it.

    Each by its verb alone: PostgreSQL takes verb and key for independent, and would sort all pauses that ever were.
    """
    newest = [event for verb in _VERBS for event in models.Event.objects.filter(verb=verb).order_by("-id")[:_LOOKED_AT]]
    own = [event for event in newest if event.target == models.name_target(key)]
    own.sort(key=lambda event: event.pk, reverse=True)
    return list(_pair(own, is_paused=key.is_paused))[:_MOST]


def _pair(events: Iterable[models.Event], *, is_paused: bool) -> Iterable[dict[str, object]]:
    """A pause ends at its time, or with an earlier event that resumes sending. Replaced ones are left out."""
    newer: models.Event | None = None
    for event in events:
        if event.verb == Verb.PAUSE and (newer is None or newer.verb == Verb.RESUME):
            cause = models.Key(state=models.Key.State.PAUSED, cause=event.detail.get("cause", "")).cause_title
            ends = [(newer.at, newer.actor_name)] if newer else []
            if (until := event.detail.get("until")) and (newer or not is_paused):
                ends.append((datetime.fromisoformat(until), ""))
            ended_at, ended_by = min(ends, default=(None, ""))
            seconds = round((ended_at - event.at).total_seconds(), 1) if ended_at else None
            yield {"event": event, "cause": cause, "ended_at": ended_at, "ended_by": ended_by, "seconds": seconds}
        newer = event


def describe_payment(*, key: models.Key, waiting: int) -> str:
    """A message to whoever pays for the account, where the pause waits for that; else empty."""
    if not key.is_paused or key.failure is None or key.failure.actor is not failures.Actor.BUDGET_OWNER:
        return ""
    return _(
        "AgentStation no longer accepts our team's requests: payment is required (%(code)s). The credits are used up, "
        "or a payment has expired. Please check the billing of our account. Requests that wait: %(waiting)d. They are "
        "sent once an operator resumes sending in the workstation portal."
    ) % {"waiting": waiting, "code": key.cause}
