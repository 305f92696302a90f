"""The state of the team's key, and the beginning and the end of a pause."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from portal import forms, models
from portal.services.key import accounts, circuit_breaker, credentials, database_moved, key_sharing
from portal.services.mirrors import releases
from portal.services.reconciliation import restore
from portal.services.runtime import workers
from portal.views.components import live, pauses
from portal.views.http import SignedInRequest, read_key, saying_why


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    """The key's state, how many requests wait, and whether a worker runs. The key itself is never shown."""
    return render(request, "key.html", _show(request))


@require_GET
def live_key(request: SignedInRequest) -> HttpResponse:
    shown = _show(request)
    if live.is_seen(request, shown["live"].version):
        return HttpResponse(status=204)
    return render(request, "key.html#live", shown)


@require_GET
def live_banner(request: SignedInRequest) -> HttpResponse:
    """The notice of a pause, for the pages that have no other live part."""
    key = read_key(request)
    if live.is_seen(request, live.read_version(request, key=key)):
        return HttpResponse(status=204)
    return render(request, "parts/pause_banner.html")


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
        "read_pauses": partial(pauses.read_pauses, key=key),  # called by the one template that shows them
        "reason_form": forms.ReasonForm(),
        "support": pauses.describe_payment(key=key, waiting=counts[models.Request.Status.QUEUED]),
        "live": live.Part(version=version, pause=5, is_awaited=key.state != models.Key.State.ACTIVE),
    }


def _find_tried(account: models.Account) -> models.Attempt | None:
    """The attempt under way that tests whether requests are accepted again."""
    under_way = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING, request__account=account)
    return under_way.order_by("-claimed_tick").first()


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def pause(request: SignedInRequest) -> HttpResponse:
    form = forms.ReasonForm(request.POST)
    if not form.is_valid():
        return render(request, "key.html", {**_show(request), "reason_form": form, "live": None})
    account, reason = accounts.get_current_account(), form.cleaned_data["reason"]
    with saying_why(request, circuit_breaker.NotPaused):
        circuit_breaker.pause_key(actor=request.user, account=account, reason=reason)
        messages.success(request, _("You have paused sending. Requests are saved and wait."))
    return redirect("key")


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def resume(request: SignedInRequest) -> HttpResponse:
    with saying_why(request, circuit_breaker.NotPaused):
        circuit_breaker.resume_key(actor=request.user, account=accounts.get_current_account())
        said = _(
            "You have resumed sending. Requests are sent one at a time until one succeeds; if the next is refused, "
            "sending pauses again."
        )
        messages.success(request, said)
    return redirect("key")


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def confirm(request: SignedInRequest, number: int) -> HttpResponse:
    """Say whether a key that some process has is of the same account."""
    credential = get_object_or_404(models.Credential.objects.select_related("account"), pk=number)
    answer = request.POST.get("account")
    if answer not in ("same", "other"):
        messages.warning(request, _("Say whether it is the same account or another."))
        return redirect("key")
    with saying_why(request, circuit_breaker.NotPaused):
        credentials.confirm_key(actor=request.user, credential=credential, is_same_account=answer == "same")
        messages.success(request, _("Noted. Requests are being sent with that key now."))
    return redirect("key")


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def clear_sharing(request: SignedInRequest) -> HttpResponse:
    with saying_why(request, circuit_breaker.NotPaused):
        key_sharing.clear_sharing(actor=request.user, account=accounts.get_current_account())
        said = _("Noted. The portal links by itself again what certainly was created for a request.")
        messages.success(request, said)
    return redirect("key")


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def confirm_database(request: SignedInRequest) -> HttpResponse:
    """Say whether the database was moved or put back from a backup."""
    answer = request.POST.get("database")
    if answer not in ("moved", "put-back"):
        messages.warning(request, _("Say whether the database was moved or restored."))
        return redirect("key")
    account, was_put_back = accounts.get_current_account(), answer == "put-back"
    with saying_why(request, circuit_breaker.NotPaused):
        count = restore.confirm_database(actor=request.user, account=account, was_put_back=was_put_back)
        messages.success(request, _describe_answer(answer, count=count))
    return redirect("key")


def _describe_answer(answer: str, *, count: int) -> str:
    if answer == "moved":
        return _("Noted. Requests are being sent from here now.")
    return ngettext(
        "Noted. The portal checks AgentStation's lists for %(count)s request before it sends it.",
        "Noted. The portal checks AgentStation's lists for %(count)s requests before it sends them.",
        count,
    ) % {"count": count}
