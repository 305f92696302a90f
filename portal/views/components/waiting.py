"""What a queued request waits for, and whose turn it is."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal import failures, models
from portal.services.people import people


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """`title`: what it waits for; `text`: when it is sent; `actor`: who can do something about it, where anybody can.

    `failure`: the code of what it waits for. `position`: its place in the queue, where that is what it waits for.
    `is_up_to_worker`: nothing else keeps it from being sent in time.
    """

    title: str
    text: str
    actor: failures.Actor = failures.Actor.NOBODY
    failure: str = ""
    position: int | None = None
    is_up_to_worker: bool = False

    @property
    def needs_person(self) -> bool:
        return self.actor is not failures.Actor.NOBODY


def describe_waiting(
    portal_request: models.Request, *, key: models.Key, last: models.Attempt | None, position: int | None
) -> Waiting:
    """`last`: the attempt after which it waits to be sent again, if there was one."""
    if portal_request.account_id != key.account_id:
        text = _("It was meant for another AgentStation account, and isn't sent with the current key.")
        return Waiting(title=_("Not sent with the current key"), text=text, actor=failures.Actor.OPERATOR)
    if key.is_paused:
        return _describe_pause(key)
    failure = last.failure_row if last else None
    if portal_request.next_attempt_at is not None and failure:
        return _describe_next_attempt(portal_request, failure=failure)
    return _describe_turn(key=key, position=position)


def _describe_pause(key: models.Key) -> Waiting:
    text = _("This request has not failed. It is saved, and waits until %(end)s. Then it is sent automatically.")
    end = _show_time(key.paused_until) if key.paused_until else key.describe_end(people.name_operators())
    return Waiting(
        title=_("Paused for the whole team: %(cause)s") % {"cause": key.cause_clause},
        text=text % {"end": end},
        actor=_find_actor(key),
        failure=key.cause if key.failure else "",
    )


def _find_actor(key: models.Key) -> failures.Actor:
    """Who ends a pause: nobody has to where it has a time."""
    if key.paused_until is not None:
        return failures.Actor.NOBODY
    return key.failure.actor if key.failure and key.failure.needs_person else failures.Actor.OPERATOR


def _describe_next_attempt(portal_request: models.Request, *, failure: failures.Failure) -> Waiting:
    at = portal_request.next_attempt_at
    text = _("Nothing was created. The portal tries again by itself.")
    if at is not None and at > timezone.now():
        text = _("Nothing was created. The portal tries again by itself at %(time)s.") % {"time": _show_time(at)}
    title = _("Waiting to try again: %(cause)s") % {"cause": failures.make_clause(str(failure.title))}
    return Waiting(title=title, text=text, failure=failure.code, is_up_to_worker=True)


def _describe_turn(*, key: models.Key, position: int | None) -> Waiting:
    if key.is_resuming:
        text = _("Resuming: requests are sent one at a time until one succeeds.")
    else:
        text = _(
            "It is sent as soon as it is its turn, usually within a second. "
            "Calls under way at one time: %(count)s at most."
        ) % {"count": settings.PORTAL_CALLS_IN_FLIGHT}
    return Waiting(title=_("Waiting in the queue"), text=text, position=position, is_up_to_worker=True)


def _show_time(at: datetime) -> str:
    local = timezone.localtime(at)
    is_today = local.date() == timezone.localdate()
    return date_format(local, "H:i:s T" if is_today else "j M, H:i:s T")
