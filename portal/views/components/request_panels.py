"""What the page of a request shows beside its facts and its timeline: decided here, and its template only includes."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.template import loader
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

import portal
from portal import failures, models
from portal.services.connections import access
from portal.services.people import people
from portal.services.reports.timeline import RequestHistory
from portal.views.http import SignedInRequest


def describe_page(
    request: SignedInRequest, *, past: RequestHistory, is_rehearsal: bool, is_own: bool
) -> dict[str, object]:
    """`cause` is shown in place of the failure's own. `reloads`: a page without JavaScript, anew every 10 seconds."""
    workstation = getattr(past.portal_request, "workstation", None)
    return {
        "panels": _list_panels(past, is_rehearsal=is_rehearsal, is_own=is_own),
        "may_end": _may_end(request, past.portal_request, is_own=is_own),
        "quote": past.attempts[-1].words if past.attempts else "",
        "cause": _describe_cause(past),
        "is_given_up": past.is_given_up,
        "offers": access.list_offers(workstation=workstation) if is_own and workstation is not None else [],
        "reloads": not past.portal_request.is_final and request.GET.get("reload") == "10",
    }


def _list_panels(past: RequestHistory, *, is_rehearsal: bool, is_own: bool) -> list[str]:
    portal_request, states = past.portal_request, models.Request.Status
    status, workstation = portal_request.status, getattr(portal_request, "workstation", None)
    has_failed = portal_request.failure_row is not None and status != states.UNKNOWN
    is_wanted = portal_request.cancel_requested_at is None
    shown = {
        "requests/panels/unknown.html": status == states.UNKNOWN,
        "requests/panels/ending.html": past.ending,
        "requests/panels/rehearsal.html": is_rehearsal,
        "requests/panels/failure.html": has_failed and not past.is_given_up,
        "requests/panels/given_up.html": has_failed and past.is_given_up,
        "requests/panels/outcome.html": status in (states.SUCCEEDED, states.CANCELLED),
        "requests/panels/sending.html": status == states.SENDING,
        "requests/panels/waiting.html": status == states.QUEUED,
        "requests/panels/made_after_all.html": is_own and not is_wanted and workstation and workstation.is_live,
    }
    return [template for template, is_shown in shown.items() if is_shown]


def _describe_cause(past: RequestHistory) -> str:
    """A documented refusal that has not the documented form may be a gateway's."""
    last = past.attempts[-1] if past.attempts else None
    if last is None or last.failure != past.portal_request.failure or not last.failure.startswith("4"):
        return ""
    doubt = _(
        "The response doesn't have AgentStation's documented form, so a gateway may have given it. Probably nothing "
        "was created; a workstation that turns up is listed as unassigned."
    )
    return "" if last.error and last.message else doubt


def _may_end(request: SignedInRequest, portal_request: models.Request, *, is_own: bool) -> bool:
    """Asks for the permission only where the request can be ended: that may cost a query."""
    states = models.Request.Status
    can_end = portal_request.status == states.UNKNOWN or (portal_request.status == states.QUEUED and not is_own)
    return can_end and request.user.decides


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """`is_up_to_worker`: nothing else keeps it from being sent in time."""

    title: str
    text: str
    actor: failures.Actor = failures.Actor.NOBODY
    failure: str = ""
    position: int | None = None
    is_up_to_worker: bool = False

    @property
    def needs_person(self) -> bool:
        return self.actor is not failures.Actor.NOBODY


def describe_waiting(past: RequestHistory, *, key: models.Key, position: int | None) -> Waiting | None:
    portal_request = past.portal_request
    if portal_request.status != models.Request.Status.QUEUED:
        return None
    if portal_request.account_id != key.account_id:
        text = _("It was meant for another AgentStation account, and isn't sent with the current key.")
        return Waiting(title=_("Not sent with the current key"), text=text, actor=failures.Actor.OPERATOR)
    if key.is_paused:
        return _describe_pause(key)
    failure = past.attempts[-1].failure_row if past.attempts else None
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


def describe_for_support(past: RequestHistory) -> str:
    """A text to copy for somebody who helps, in UTC. It never has the key, nor anything made from it."""
    if past.portal_request.failure_row is None:
        return ""
    shown = {"portal_request": past.portal_request, "attempts": past.attempts, "version": portal.__version__}
    return loader.render_to_string("requests/support.txt", shown)
