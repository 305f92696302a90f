"""The state of the team's key, and the beginning and the end of a pause."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from portal import failures, forms, models
from portal.models.event import Verb
from portal.services.key import accounts, circuit_breaker, credentials, database_moved, sharing
from portal.services.mirrors import releases
from portal.services.reconciliation import restore
from portal.services.runtime import workers
from portal.views.components import live
from portal.views.http import SignedInRequest, acting, read_key

_MOST_PAUSES = 5
_LOOKED_AT = 50  # events of each verb; few are of other accounts' keys
_decision = acting("key", circuit_breaker.PauseRefused, rights=["portal.resume_key"])


class Pause(NamedTuple):
    """`event` began it. The end is None while it goes on; `ended_by` is empty where it ended by itself."""

    event: models.Event
    cause: str
    ended_at: datetime | None
    ended_by: str
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class KeyPage:
    """The state of a key; what only some see is read where it is shown."""

    key: models.Key

    @cached_property
    def counts(self) -> dict[str, int]:
        """Requests by their status."""
        return models.Request.objects.count_under_way(self.key.account)

    @cached_property
    def orphans(self) -> list[models.Workstation]:
        return list(models.Workstation.objects.orphans().filter(account=self.key.account).order_by("id")[:20])

    @cached_property
    def questions(self) -> list[models.Credential]:
        return credentials.list_questions(account=self.key.account)

    @cached_property
    def releases_wait_until(self) -> datetime | None:
        return releases.find_next_try(account=self.key.account)

    @cached_property
    def has_worker(self) -> bool:
        return workers.list_living().exists()

    @cached_property
    def database(self) -> models.Database | None:
        return database_moved.find_doubt() if self.key.cause == models.DATABASE_MOVED else None

    @cached_property
    def stopping_number(self) -> int | None:
        return circuit_breaker.find_stopping_request(key=self.key)

    @cached_property
    def tried(self) -> models.Attempt | None:
        """What shows whether requests are accepted again."""
        sending = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING)
        return sending.filter(request__account=self.key.account).order_by("-claimed_tick").first()

    @property
    def is_unpaid(self) -> bool:
        """Whether the pause waits for whoever pays for the account."""
        failure = self.key.failure
        return self.key.is_paused and failure is not None and failure.actor is failures.Actor.BUDGET_OWNER

    @cached_property
    def pauses(self) -> list[Pause]:
        """The key's last, newest first. Two queries.

        Each by its verb alone: PostgreSQL takes verb and key for independent, and would sort all pauses that ever were.
        """
        events = models.Event.objects.order_by("-id")
        newest = [event for verb in (Verb.PAUSE, Verb.RESUME) for event in events.filter(verb=verb)[:_LOOKED_AT]]
        own = [event for event in newest if event.target == models.name_target(self.key)]
        own.sort(key=lambda event: event.pk, reverse=True)
        return [*_pair(own, is_paused=self.key.is_paused)][:_MOST_PAUSES]

    @property
    def facts(self) -> tuple[object, ...]:
        numbers = [[row.pk for row in rows] for rows in (self.orphans, self.questions)]
        shared_at = self.key.account.shared_at
        return sorted(self.counts.items()), self.has_worker, numbers, shared_at, self.releases_wait_until


def _pair(events: Iterable[models.Event], *, is_paused: bool) -> Iterator[Pause]:
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
            yield Pause(event, cause, ended_at, ended_by, seconds)
        newer = event


@require_GET
def show(request: SignedInRequest, template: str = "key.html") -> HttpResponse:
    shown = _show(request)
    return live.render_news(request, template, lambda: shown, version=shown["live"].version)


@require_GET
def live_banner(request: SignedInRequest) -> HttpResponse:
    version = live.read_version(request, key=read_key(request))
    return live.render_news(request, "parts/pause_banner.html", version=version)


def _show(request: SignedInRequest) -> dict[str, Any]:
    key = read_key(request)
    page = KeyPage(key=key)
    version = live.read_version(request, page.facts, key=key)
    part = live.Part(version=version, pause=5, is_awaited=key.state != models.Key.State.ACTIVE)
    return {"page": page, "account": key.account, "reason_form": forms.ReasonForm(), "live": part}


@_decision
def pause(request: SignedInRequest) -> HttpResponse | str:
    form = forms.ReasonForm(request.POST)
    if not form.is_valid():
        return render(request, "key.html", {**_show(request), "reason_form": form, "live": None})
    circuit_breaker.pause_key(actor=request.user, account=accounts.get_current_account(), **form.cleaned_data)
    return _("You have paused sending. Requests are saved and wait.")


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
    if not was_put_back:
        return _("Noted. Requests are being sent from here now.")
    return ngettext(
        "Noted. The portal checks AgentStation's lists for %(count)s request before it sends it.",
        "Noted. The portal checks AgentStation's lists for %(count)s requests before it sends them.",
        count,
    ) % {"count": count}
