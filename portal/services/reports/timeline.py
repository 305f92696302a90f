"""The steps of a request, from its receipt to its end, as its pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import models
from portal.models.event import Verb
from portal.services.reconciliation import completeness, restore, review, unresolved

_Status, _Outcome = models.Request.Status, models.Attempt.Outcome
_ENDINGS = (Verb.CLOSE, Verb.CANCEL)
_DECISIONS = (Verb.RECONCILE, Verb.ADOPT, Verb.NOT_CREATED, Verb.NEEDS_REVIEW, Verb.REQUEST_CANCEL)
_MOST_SHOWN, _FIRST_SHOWN, _LAST_SHOWN = 12, 3, 6
_FINAL_TITLES = {
    _Status.FAILED: gettext_lazy("No workstation"),
    _Status.CANCELLED: gettext_lazy("Cancelled"),
    _Status.UNKNOWN: gettext_lazy("Checking"),
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `state`: done, now, ok, bad, warn, off, todo; `took`: seconds, where it lasted."""

    title: str
    state: str
    text: str = ""
    quote: str = ""
    at: datetime | None = None
    took: float | None = None

    @property
    def icon(self) -> str:
        """The name of the icon of this state; empty for none."""
        icons = {"done": "check", "ok": "check", "bad": "x", "off": "x", "now": "loader", "warn": "triangle-alert"}
        return icons.get(self.state, "")


@dataclass(frozen=True, kw_only=True)
class RequestHistory:
    """A request with its attempts (their late responses too), and its events so far, all of one moment."""

    portal_request: models.Request
    attempts: Sequence[models.Attempt]
    events: Sequence[models.Event]

    @property
    def known_by(self) -> datetime | None:
        """When the portal should know what became of it while its outcome is unknown, unless a person has to say."""
        is_unknown = self.portal_request.status == _Status.UNKNOWN
        if not is_unknown or self.portal_request.operator_note or not self.attempts:
            return None
        grace = completeness.choose_grace(account=self.portal_request.account, now=timezone.now())
        sent = unresolved.describe_attempt(attempt=self.attempts[-1], restores=())
        return review.estimate_known_by(proof_from=sent.proof_from, allowed_lag=grace)

    @property
    def ending(self) -> models.Event | None:
        """What an operator did to end it, with a reason."""
        return next((event for event in reversed(self.events) if event.verb in _ENDINGS and event.reason), None)

    @property
    def is_given_up(self) -> bool:
        """Whether a person ended it before anybody knew what had become of it: nothing looks for its workstation."""
        endings = [event.detail.get("before") for event in self.events if event.verb in _ENDINGS]
        return self.portal_request.is_final and _Status.UNKNOWN in endings


def read_request_history(*, portal_request: models.Request, was_claimed: bool = True) -> RequestHistory:
    """The request as it is now. One query reads it with its attempts: two would show two moments on one page."""
    # What was never claimed has no event but of its receipt.
    if not was_claimed and portal_request.status == _Status.QUEUED:
        return RequestHistory(portal_request=portal_request, attempts=(), events=())
    events = list(models.Event.objects.filter(request_number=portal_request.pk).order_by("id"))
    rows = models.Attempt.objects.filter(request=portal_request).defer("response").order_by("number")
    read_with = ("late_response", "request__requester", "request__account", "request__workstation__workspace")
    attempts = list(rows.select_related(*read_with))
    now = attempts[-1].request if attempts else portal_request
    return RequestHistory(portal_request=now, attempts=attempts, events=events)


def list_steps(*, request_history: RequestHistory) -> list[Step]:
    """The history of a request, oldest first, with the step that is under way."""
    portal_request, attempts = request_history.portal_request, request_history.attempts
    sender = _("From %(person)s") % {"person": portal_request.requester.label}
    steps = [Step(title=_("Request received"), state="done", text=sender, at=portal_request.created_at)]
    middle = [step for attempt in attempts for step in _describe_attempt(attempt)]
    middle += [_describe_decision(event) for event in request_history.events if _is_shown(event)]
    steps += sorted(middle, key=lambda step: step.at or portal_request.created_at)
    if portal_request.status == _Status.QUEUED:
        title = _("Waiting to try again") if attempts else _("Waiting in the queue")
        steps.append(Step(title=title, state="now"))
    steps.append(_describe_end(portal_request))
    return [*steps, *_describe_after_release(request_history)]


def fold_steps(*, steps: Sequence[Step]) -> tuple[Sequence[Step], Sequence[Step], Sequence[Step]]:
    """The first steps, those in the middle that are folded away, and the last ones."""
    if len(steps) <= _MOST_SHOWN:
        return steps, (), ()
    return steps[:_FIRST_SHOWN], steps[_FIRST_SHOWN:-_LAST_SHOWN], steps[-_LAST_SHOWN:]


def _describe_after_release(request_history: RequestHistory) -> list[Step]:
    portal_request = request_history.portal_request
    workstation = getattr(portal_request, "workstation", None)
    if workstation is None or workstation.ended_at is None:
        return []
    title = _("Workstation released") if workstation.release_requested_at else _("Workstation ended")
    text = _("Its files stay in the workspace.")
    # What the portal asked for may have been taken back.
    asked = [event for event in request_history.events if event.verb == Verb.REQUEST_RELEASE]
    if workstation.release_requested_at and asked and (event := asked[-1]).reason:
        title = _("Workstation released by %(name)s") % {"name": event.actor_name or _("the portal")}
        reason = event.reason if event.actor_name else _(event.reason)
        text = _("Its files stay in the workspace. Reason: %(reason)s") % {"reason": reason}
    return [Step(title=title, state="off", text=text, at=workstation.ended_at)]


def _describe_attempt(attempt: models.Attempt) -> list[Step]:
    if attempt.worker == restore.WORKER:
        title = _("The portal's records were restored from a backup")
        text = _(
            "It may have been sent after that backup was taken. The portal checks first, so that nothing is created "
            "twice."
        )
        return [Step(title=title, state="warn", text=text, at=attempt.claimed_at)]
    texts = {
        _Outcome.SENDING: _("The request has been sent. AgentStation usually responds within a minute."),
        _Outcome.SUCCEEDED: _("AgentStation accepted the request."),
        _Outcome.NOT_SENT: _("Nothing was sent: the server or its database took too long beforehand."),
    }
    states = {_Outcome.SENDING: "now", _Outcome.SUCCEEDED: "done", _Outcome.UNKNOWN: "warn", _Outcome.FAILED: "bad"}
    text = texts.get(_Outcome(attempt.outcome), "")
    if failure := attempt.failure_row:
        text = f"{failure.title} ({attempt.http_status})." if attempt.http_status else f"{failure.title}."
    again = _("Sending, attempt %(number)s") % {"number": attempt.number}
    title, state = _("Sending") if attempt.number == 1 else again, states.get(_Outcome(attempt.outcome), "done")
    at, ended = attempt.claimed_at, attempt.ended_at
    took = (ended - at).total_seconds() if ended and attempt.outcome != _Outcome.NOT_SENT else None
    steps = [Step(title=title, state=state, text=text, quote=attempt.words, at=at, took=took)]
    if late := getattr(attempt, "late_response", None):
        text = _("AgentStation responded after the portal had stopped waiting. The response is kept and used.")
        steps.append(Step(title=_("Late response"), state="done", text=text, quote=late.words, at=late.came_at))
    return steps


def _is_shown(event: models.Event) -> bool:
    """Whether it is a step: that a person is no longer asked is none."""
    return event.verb in _DECISIONS and (event.verb != Verb.NEEDS_REVIEW or bool(event.reason))


def _describe_decision(event: models.Event) -> Step:
    if event.verb == Verb.RECONCILE:
        found = event.detail.get("workstation")
        values = {"active": event.detail.get("active"), "ended": event.detail.get("history"), "found": found}
        shown = _("AgentStation's lists (%(active)s active, %(ended)s ended) show %(found)s.")
        missing = _("AgentStation's lists (%(active)s active, %(ended)s ended) show no workstation for it, twice.")
        title, text = (_("Found"), shown) if found else (_("Nothing was created"), missing)
        return Step(title=title, state="done", text=text % values, at=event.at)
    again = _("%(who)s chose to send it again") % {"who": event.actor_name}
    titles = {Verb.ADOPT: _("Found by an operator"), Verb.NOT_CREATED: again}
    titles |= {Verb.NEEDS_REVIEW: _("Needs review"), Verb.REQUEST_CANCEL: _("Cancellation requested")}
    cancel = _("If nothing was created, the request is cancelled. If a workstation was created, you can release it.")
    texts = {Verb.REQUEST_CANCEL: cancel, Verb.NOT_CREATED: _("There may be two workstations, and both are billed.")}
    who = f"{event.actor_name}: " if event.actor_name else ""
    reason = event.reason if event.actor_name else _(event.reason)  # the portal's own reasons are kept in English
    return Step(
        title=titles[Verb(event.verb)],
        state="warn" if event.verb == Verb.NEEDS_REVIEW else "done",
        text=f"{who}{reason}" if reason else texts.get(Verb(event.verb), event.actor_name),
        at=event.at,
    )


def _describe_end(portal_request: models.Request) -> Step:
    status = _Status(portal_request.status)
    if status == _Status.SUCCEEDED:
        return Step(title=_("Workstation ready"), state="ok", at=portal_request.ended_at)
    if status in _FINAL_TITLES:
        states = {_Status.FAILED: "bad", _Status.UNKNOWN: "warn"}
        title = portal_request.state if portal_request.needs_review else str(_FINAL_TITLES[status])
        return Step(title=title, state=states.get(status, "off"), at=portal_request.ended_at)
    return Step(title=_("Workstation ready"), state="todo")
