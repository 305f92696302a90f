"""The stations of a request, from its receipt to its end, as its page shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from portal import models
from portal.services import restore

_FINAL_TITLES = {
    models.Request.Status.FAILED: "No workstation",
    models.Request.Status.CANCELLED: "Cancelled",
    models.Request.Status.UNKNOWN: "Outcome unknown",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One station. `state`: done, now, ok, bad, warn, off, todo."""

    title: str
    state: str
    text: str = ""
    quote: str = ""
    at: datetime | None = None

    @property
    def icon(self) -> str:
        """The picture in the station's dot."""
        return {"done": "check", "ok": "check", "bad": "x", "off": "x", "now": "loader", "warn": "triangle-alert"}.get(
            self.state, ""
        )


def list_steps(
    *,
    portal_request: models.Request,
    attempts: Iterable[models.Attempt],
    decisions: Iterable[models.Event],
    key: models.Key,
    position: int | None,
) -> list[Step]:
    """All stations in order; the attempts come with their late answers, `decisions` are what settled it."""
    attempts = list(attempts)
    steps = [
        Step(
            title="Request received",
            state="done",
            text=f"From {portal_request.requester.get_username()}",
            at=portal_request.created_at,
        )
    ]
    middle = [step for attempt in attempts for step in _describe_attempt(attempt)]
    middle += [_describe_decision(event) for event in decisions]
    steps += sorted(middle, key=lambda step: step.at or portal_request.created_at)
    if portal_request.status == models.Request.Status.QUEUED:
        steps.append(_describe_waiting(portal_request, key=key, is_first=not attempts, position=position))
    steps.append(_describe_end(portal_request))
    return steps


def _describe_attempt(attempt: models.Attempt) -> list[Step]:
    if attempt.worker == restore.WORKER:
        return [_describe_restored(attempt)]
    outcome = models.Attempt.Outcome
    texts = {
        outcome.SENDING: "The provider has been asked. It usually answers within a minute.",
        outcome.SUCCEEDED: "The provider said yes.",
        outcome.GIVEN_BACK: "Nothing was sent: the server had been paused for too long.",
    }
    states = {outcome.SENDING: "now", outcome.SUCCEEDED: "done", outcome.UNKNOWN: "warn", outcome.FAILED: "bad"}
    failure = attempt.failure_row
    title = "Asking the provider" if attempt.number == 1 else f"Asking the provider, attempt {attempt.number}"
    step = Step(
        title=title,
        state=states.get(outcome(attempt.outcome), "done"),
        text=_describe_failure(attempt) if failure else texts.get(outcome(attempt.outcome), ""),
        quote=attempt.words,
        at=attempt.ended_at or attempt.claimed_at,
    )
    late = getattr(attempt, "late_answer", None)
    return [step, _describe_late(late)] if late else [step]


def _describe_restored(attempt: models.Attempt) -> Step:
    return Step(
        title="The portal's records were put back from a backup",
        state="warn",
        text="It may have been sent after that backup was made. The portal looks first, so that nothing is made twice.",
        at=attempt.claimed_at,
    )


def _describe_failure(attempt: models.Attempt) -> str:
    failure = attempt.failure_row
    title = failure.title if failure else attempt.failure
    return f"{title} ({attempt.http_status})." if attempt.http_status else f"{title}."


def _describe_late(late: models.LateAnswer) -> Step:
    return Step(
        title="A late answer came",
        state="done",
        text="The provider answered after the portal had stopped waiting. The answer is kept and used.",
        quote=late.words,
        at=late.came_at,
    )


def _describe_decision(event: models.Event) -> Step:
    """What settled a request whose outcome was unknown: the provider's lists, or an operator with a reason."""
    if event.verb == "settle":
        found = event.detail.get("workstation")
        lists = f"The provider's lists ({event.detail.get('active')} active, {event.detail.get('history')} ended)"
        text = f"{lists} show {found}." if found else f"{lists} show no workstation for it, twice."
        return Step(title="Found" if found else "Nothing was made", state="done", text=text, at=event.at)
    titles = {"adopt": "Found by an operator", "not-created": "An operator said: nothing was made"}
    titles |= {"leave-to-operator": "An operator has to decide", "wish-cancel": "Cancelling wished"}
    text = "If nothing was made it is cancelled; if something was, it is yours to give back."
    who = f"{event.actor_name}: " if event.actor_name else ""
    return Step(
        title=titles.get(event.verb, event.verb),
        state="warn" if event.verb == "leave-to-operator" else "done",
        text=f"{who}{event.reason}" if event.reason else text,
        at=event.at,
    )


def _describe_waiting(portal_request: models.Request, *, key: models.Key, is_first: bool, position: int | None) -> Step:
    title = "Waiting in the queue" if is_first else "Waiting to try again"
    place = f" Its place in the queue: {position}." if position and portal_request.account_id == key.account_id else ""
    return Step(title=title, state="now", text=_explain_waiting(portal_request, key=key) + place)


def _explain_waiting(portal_request: models.Request, *, key: models.Key) -> str:
    if portal_request.account_id != key.account_id:
        return "It was meant for another account of the provider, and is not sent with the present key."
    if key.is_held:
        since = date_format(timezone.localtime(key.held_at), "H:i T") if key.held_at else ""
        title = f"{key.cause_title[0].lower()}{key.cause_title[1:]}"
        who = f" Who can fix it: {key.failure.actor.value}." if key.failure and key.held_until is None else ""
        return f"The queue stands still for everybody: {title}, since {since}.{who} It goes on when {key.who_ends}."
    if key.is_resuming:
        return "The queue has just begun to move again, one request at a time, until one succeeds."
    if portal_request.next_attempt_at is not None:
        return "The portal tries again by itself. You need not do anything."
    return "It is sent as soon as it is its turn, usually within a second."


def _describe_end(portal_request: models.Request) -> Step:
    status = models.Request.Status(portal_request.status)
    if status == models.Request.Status.SUCCEEDED:
        return Step(title="Workstation ready", state="ok", at=portal_request.ended_at)
    if status in _FINAL_TITLES:
        states = {models.Request.Status.FAILED: "bad", models.Request.Status.UNKNOWN: "warn"}
        return Step(title=_FINAL_TITLES[status], state=states.get(status, "off"), at=portal_request.ended_at)
    return Step(title="Workstation ready", state="todo")
