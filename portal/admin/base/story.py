"""What became of a request, from top to bottom: what was requested, each attempt, and what followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal import models
from portal.admin.base import columns, telling
from portal.models.event import Verb
from portal.services.reconciliation import restore

MOST_ATTEMPTS = 50  # on one page; the newest
MOST_EVENTS = 100
# What the request and its attempts tell themselves.
_TOLD = (Verb.SUBMIT, Verb.CLAIM, Verb.RESPONSE, Verb.LATE_RESPONSE, Verb.RESTORED)

type Shown = SafeString | str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that happened. `quote`: AgentStation's own words, or a person's; `more`: what it means."""

    at: datetime | None
    text: Shown
    more: Shown = ""
    quote: str = ""


@dataclass(frozen=True, kw_only=True)
class Story:
    """`attempts` are the newest of `attempt_count`; `followed` is cut where `has_more_events`."""

    portal_request: models.Request
    outcome: Shown
    attempts: Sequence[Line]
    attempt_count: int
    followed: Sequence[Line]
    has_more_events: bool

    @property
    def is_cut(self) -> bool:
        """Whether there were more attempts than are told."""
        return self.attempt_count > len(self.attempts)


def tell_story(*, portal_request: models.Request, user: models.User) -> Story:
    """As much of it as the person may see: three queries, however much there is."""
    attempts = _read_attempts(portal_request) if user.has_perm("portal.view_attempt") else []
    events = _read_events(portal_request) if user.has_perm("portal.view_event") else []
    late = [attempt.late_response for attempt in attempts if hasattr(attempt, "late_response")]
    lines = [*map(_tell_late, late), *map(_tell_event, events[:MOST_EVENTS]), *_tell_workstation(portal_request)]
    return Story(
        portal_request=portal_request,
        outcome=_tell_outcome(portal_request),
        attempts=[_tell_attempt(attempt) for attempt in attempts],
        attempt_count=attempts[-1].number if attempts else 0,
        followed=sorted(lines, key=lambda line: line.at or portal_request.created_at),
        has_more_events=len(events) > MOST_EVENTS,
    )


def _read_attempts(portal_request: models.Request) -> list[models.Attempt]:
    """The newest attempts of the request, oldest first."""
    rows = models.Attempt.objects.filter(request=portal_request).select_related("late_response")
    newest = rows.defer("response", "late_response__response").order_by("-number")
    return list(newest[:MOST_ATTEMPTS])[::-1]


def _read_events(portal_request: models.Request) -> list[models.Event]:
    rows = models.Event.objects.filter(request_number=portal_request.pk).exclude(verb__in=_TOLD)
    return list(rows.order_by("id")[: MOST_EVENTS + 1])


def _tell_outcome(portal_request: models.Request) -> Shown:
    """Its state, with the failure in the catalogue's words."""
    state = portal_request.state
    failure = portal_request.failure_row
    if failure is None:
        return format_html("<b>{}.</b>", state)
    return format_html("<b>{}. {}.</b> {}", state, columns.show_failure(failure.code), failure.cause)


def _tell_attempt(attempt: models.Attempt) -> Line:
    link = columns.link_to_words(attempt, _("Attempt %(number)s") % {"number": attempt.number})
    return Line(
        at=attempt.claimed_at,
        text=format_html("{}: {}", link, _say_what_came(attempt)),
        more=columns.show_failure(attempt.failure) if attempt.failure else "",
        quote=attempt.words,
    )


def _say_what_came(attempt: models.Attempt) -> Shown:
    outcomes, ended = models.Attempt.Outcome, columns.show_time(attempt.ended_at)
    if attempt.worker == restore.WORKER:
        return _("noted because a backup was restored. It may have been sent after that backup was taken.")
    if attempt.outcome == outcomes.SENDING:
        return format_html(
            _("sent, no response yet. The portal waits until {}."), columns.show_time(attempt.deadline_at)
        )
    if attempt.outcome == outcomes.NOT_SENT:
        return _("not sent.")
    if attempt.http_status is None:
        return format_html(_("no response until {}."), ended)
    took = (attempt.ended_at - attempt.claimed_at).total_seconds() if attempt.ended_at else 0
    answer = format_html(_("HTTP status {} at {}, after {} s."), attempt.http_status, ended, f"{took:.3f}")
    succeeded = attempt.outcome == outcomes.SUCCEEDED
    return format_html("{} {}", answer, _("AgentStation accepted the request.")) if succeeded else answer


def _tell_late(late: models.LateResponse) -> Line:
    link = columns.link_to_words(late, _("Late response"))
    told = telling.tell_outcome(late.outcome, late.failure)
    text = format_html(_("{} to attempt {}: {}."), link, late.attempt.number, told)
    return Line(at=late.came_at, text=text, quote=late.words)


def _tell_event(event: models.Event) -> Line:
    link = columns.link_to_words(event, str(event.pk))
    return Line(
        at=event.at, text=telling.tell_with_code(event), more=format_html(_("Event {}."), link), quote=event.reason
    )


def _tell_workstation(portal_request: models.Request) -> list[Line]:
    """The line about the request's workstation; none where it has none."""
    workstation = getattr(portal_request, "workstation", None)
    if workstation is None:
        return []
    link = columns.link_to(workstation)
    text = format_html(_("Workstation {}, in workspace {}."), link, columns.link_to(workstation.workspace))
    if workstation.ended_at is None:
        more = _("Last known status: %(status)s.") % {"status": workstation.status or columns.NOTHING}
    else:
        more = format_html(_("It ended at {}."), columns.show_time(workstation.ended_at))
    return [Line(at=workstation.first_seen_at, text=text, more=more)]
