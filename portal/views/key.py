"""The state of the team's key, and the beginning and the end of a pause."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial, wraps
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from portal import failures, forms, models
from portal.models.event import Verb
from portal.services.key import accounts, circuit_breaker, credentials, database_moved, sharing
from portal.services.mirrors import releases
from portal.services.reconciliation import restore
from portal.services.runtime import workers
from portal.views.components import live
from portal.views.http import SignedInRequest, read_key, require_permission, saying_why

_MOST_PAUSES = 5
_LOOKED_AT = 50  # events of each verb; few are of other accounts' keys


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    return render(request, "key.html", _show(request))


@require_GET
def live_key(request: SignedInRequest) -> HttpResponse:
    shown = _show(request)
    return live.render_news(request, "key.html#live", lambda: shown, version=shown["live"].version)


@require_GET
def live_banner(request: SignedInRequest) -> HttpResponse:
    version = live.read_version(request, key=read_key(request))
    return live.render_news(request, "parts/pause_banner.html", version=version)


def _show(request: SignedInRequest) -> dict[str, Any]:
    key = read_key(request)
    account = key.account
    counts = models.Request.objects.count_under_way(account)
    orphans = list(models.Workstation.objects.orphans().filter(account=account).order_by("id")[:20])
    is_alive = workers.is_worker_alive()
    questions = credentials.list_questions(account=account)
    releases_wait_until = releases.find_next_try(account=account)
    numbers = [[row.pk for row in rows] for rows in (orphans, questions)]
    facts = sorted(counts.items()), is_alive, numbers, account.shared_at, releases_wait_until
    version = live.read_version(request, facts, key=key)
    return {
        "account": account,
        "counts": counts,
        "orphans": orphans,
        "questions": questions,
        "releases_wait_until": releases_wait_until,
        "worker_is_alive": is_alive,
        "database": database_moved.find_doubt() if key.cause == models.DATABASE_MOVED else None,
        "stopping_number": circuit_breaker.find_stopping_request(key=key),
        "tried": _find_tried(account) if key.is_resuming else None,
        "read_pauses": partial(_read_pauses, key=key),  # called by the one template that shows them
        "reason_form": forms.ReasonForm(),
        "is_unpaid": _is_unpaid(key),
        "live": live.Part(version=version, pause=5, is_awaited=key.state != models.Key.State.ACTIVE),
    }


def _find_tried(account: models.Account) -> models.Attempt | None:
    under_way = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING, request__account=account)
    return under_way.order_by("-claimed_tick").first()


@require_POST
@require_permission("portal.resume_key")
def pause(request: SignedInRequest) -> HttpResponse:
    form = forms.ReasonForm(request.POST)
    if not form.is_valid():
        return render(request, "key.html", {**_show(request), "reason_form": form, "live": None})
    account, reason = accounts.get_current_account(), form.cleaned_data["reason"]
    with saying_why(request, circuit_breaker.PauseRefused):
        circuit_breaker.pause_key(actor=request.user, account=account, reason=reason)
        messages.success(request, _("You have paused sending. Requests are saved and wait."))
    return redirect("key")


def _decision(decide: Callable[..., str]) -> Callable[..., HttpResponse]:
    """An operator's decision: the page of the key says what `decide` returns, or why it was refused."""

    @require_POST
    @require_permission("portal.resume_key")
    @wraps(decide)
    def answer(request: SignedInRequest, **values: Any) -> HttpResponse:
        with saying_why(request, circuit_breaker.PauseRefused):
            messages.success(request, decide(request, **values))
        return redirect("key")

    return answer


@_decision
def resume(request: SignedInRequest) -> str:
    circuit_breaker.resume_key(actor=request.user, account=accounts.get_current_account())
    return _(
        "You have resumed sending. Requests are sent one at a time until one succeeds; if the next is refused, "
        "sending pauses again."
    )


@_decision
def confirm(request: SignedInRequest, number: int) -> str:
    credential = get_object_or_404(models.Credential.objects.select_related("account"), pk=number)
    answer = request.POST.get("account")
    if answer not in ("same", "other"):
        raise circuit_breaker.PauseRefused(_("Say whether it is the same account or another."))
    credentials.confirm_key(actor=request.user, credential=credential, is_same_account=answer == "same")
    return _("Noted. Requests are being sent with that key now.")


@_decision
def clear_sharing(request: SignedInRequest) -> str:
    sharing.clear_sharing(actor=request.user, account=accounts.get_current_account())
    return _("Noted. The portal links by itself again what certainly was created for a request.")


@_decision
def confirm_database(request: SignedInRequest) -> str:
    answer = request.POST.get("database")
    if answer not in ("moved", "put-back"):
        raise circuit_breaker.PauseRefused(_("Say whether the database was moved or restored."))
    account, was_put_back = accounts.get_current_account(), answer == "put-back"
    count = restore.confirm_database(actor=request.user, account=account, was_put_back=was_put_back)
    if answer == "moved":
        return _("Noted. Requests are being sent from here now.")
    return ngettext(
        "Noted. The portal checks AgentStation's lists for %(count)s request before it sends it.",
        "Noted. The portal checks AgentStation's lists for %(count)s requests before it sends them.",
        count,
    ) % {"count": count}


def _read_pauses(*, key: models.Key) -> list[dict[str, object]]:
    """The key's last pauses, newest first. Two queries.

    Each by its verb alone: PostgreSQL takes verb and key for independent, and would sort all pauses that ever were."""
    events = models.Event.objects.order_by("-id")
    newest = [event for verb in (Verb.PAUSE, Verb.RESUME) for event in events.filter(verb=verb)[:_LOOKED_AT]]
    own = [event for event in newest if event.target == models.name_target(key)]
    own.sort(key=lambda event: event.pk, reverse=True)
    return list(_pair(own, is_paused=key.is_paused))[:_MOST_PAUSES]


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


def _is_unpaid(key: models.Key) -> bool:
    """Whether the pause waits for whoever pays for the account."""
    return key.is_paused and key.failure is not None and key.failure.actor is failures.Actor.BUDGET_OWNER
