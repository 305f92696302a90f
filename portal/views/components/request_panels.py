"""What the page of a request shows beside its facts and its timeline: decided here, and its template only includes."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from portal import models
from portal.services.connections import offers
from portal.services.reports.timeline import RequestHistory
from portal.views.http import SignedInRequest


class Panel(StrEnum):
    """The panels, in the order in which they stand on the page, each with its template."""

    UNKNOWN = "requests/panels/unknown.html"
    ENDING = "requests/panels/ending.html"
    REHEARSAL = "requests/panels/rehearsal.html"
    FAILURE = "requests/panels/failure.html"
    GIVEN_UP = "requests/panels/given_up.html"
    OUTCOME = "requests/panels/outcome.html"
    SENDING = "requests/panels/sending.html"
    WAITING = "requests/panels/waiting.html"
    MADE_AFTER_ALL = "requests/panels/made_after_all.html"


@dataclass(frozen=True, kw_only=True)
class RequestPage:
    """`panels`: those above the timeline. `may_end`: the person may end it as an operator.

    `quote`: what the provider said last; `cause`: what is said of it in place of the failure's own cause. `cancelled`:
    what is known of a request that was cancelled. `reloads`: the person wants a new page every 10 seconds, without
    JavaScript. `offers`: what its requester may open of what runs.
    """

    panels: tuple[Panel, ...]
    may_end: bool
    quote: str
    cause: str
    cancelled: str
    reloads: bool
    offers: list[offers.Offer]


def describe_page(request: SignedInRequest, *, past: RequestHistory, is_rehearsal: bool, is_own: bool) -> RequestPage:
    """All that is decided for the page of one request."""
    shown = {*_list_shown(past, is_rehearsal=is_rehearsal, is_own=is_own)}
    return RequestPage(
        panels=tuple(panel for panel in Panel if panel in shown),
        may_end=_may_end(request, past.portal_request, is_own=is_own),
        quote=past.attempts[-1].words if past.attempts else "",
        cause=_describe_cause(past),
        cancelled=_describe_cancelled(past),
        offers=_list_offers(past.portal_request) if is_own else [],
        reloads=not past.portal_request.is_final and request.GET.get("reload") == "10",
    )


def _list_shown(past: RequestHistory, *, is_rehearsal: bool, is_own: bool) -> Iterable[Panel]:
    portal_request, states = past.portal_request, models.Request.Status
    if past.ending:
        yield Panel.ENDING
    if is_rehearsal:
        yield Panel.REHEARSAL
    if portal_request.failure_row and portal_request.status != states.UNKNOWN:
        yield Panel.GIVEN_UP if past.is_given_up else Panel.FAILURE
    workstation = getattr(portal_request, "workstation", None)
    if is_own and portal_request.cancel_requested_at and workstation is not None and workstation.is_live:
        yield Panel.MADE_AFTER_ALL
    match portal_request.status:
        case states.UNKNOWN:
            yield Panel.UNKNOWN
        case states.SUCCEEDED | states.CANCELLED:
            yield Panel.OUTCOME
        case states.SENDING:
            yield Panel.SENDING
        case states.QUEUED:
            yield Panel.WAITING


def _describe_cause(past: RequestHistory) -> str:
    """A documented refusal that has not the documented form may be a gateway's; empty otherwise."""
    last = past.attempts[-1] if past.attempts else None
    if last is None or last.failure != past.portal_request.failure or not last.failure.startswith("4"):
        return ""
    doubt = _(
        "The response doesn't have AgentStation's documented form, so a gateway may have given it. Probably nothing "
        "was created; a workstation that turns up is listed as unassigned."
    )
    return "" if last.error and last.message else doubt


def _describe_cancelled(past: RequestHistory) -> str:
    if past.is_given_up:
        return _("Its outcome was never known. If a workstation was created for it, operators see it.")
    return _("Nothing was created.")


def _list_offers(portal_request: models.Request) -> list[offers.Offer]:
    workstation = getattr(portal_request, "workstation", None)
    return offers.list_offers(workstation=workstation) if workstation is not None else []


def _may_end(request: SignedInRequest, portal_request: models.Request, *, is_own: bool) -> bool:
    """Whether an operator may end it is asked only where it can be ended: the answer may cost a query."""
    states = models.Request.Status
    can_end = portal_request.status == states.UNKNOWN or (portal_request.status == states.QUEUED and not is_own)
    return can_end and request.user.has_perm("portal.close_request")
