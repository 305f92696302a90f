"""The state of the team's key, and the end of a hold."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import models
from portal.services import accounts, keyhold, workers
from portal.views.http import SignedInRequest


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    """The key's state, how many requests wait, and whether a worker runs. The key itself is never shown."""
    account = accounts.get_current_account()
    own_account = models.Request.objects.filter(account=account)
    context = {
        "account": account,
        "queued": own_account.filter(status=models.Request.Status.QUEUED).count(),
        "sending": own_account.filter(status=models.Request.Status.SENDING).count(),
        "unknown": own_account.filter(status=models.Request.Status.UNKNOWN).count(),
        "orphans": models.Workstation.objects.orphans().filter(account=account).order_by("id")[:20],
        "worker_is_alive": workers.is_worker_alive(),
    }
    return render(request, "key.html", context)


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def resume(request: SignedInRequest) -> HttpResponse:
    """End the hold."""
    try:
        keyhold.resume_key(actor=request.user, account=accounts.get_current_account())
    except keyhold.NotHeld as error:
        messages.warning(request, str(error))
    else:
        messages.success(
            request, _("The key is resumed: waiting requests go out again, one at a time until one succeeds.")
        )
    return redirect("key")


@require_POST
@permission_required("portal.resume_key", raise_exception=True)
def confirm(request: SignedInRequest) -> HttpResponse:
    """Say whether a changed key is of the same account."""
    answer = request.POST.get("account")
    if answer not in ("same", "other"):
        messages.warning(request, _("Say whether it is the same account or another."))
        return redirect("key")
    try:
        keyhold.confirm_key(
            actor=request.user, account=accounts.get_current_account(), is_same_account=answer == "same"
        )
    except keyhold.NotHeld as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("Noted. Requests go out with the new key now."))
    return redirect("key")
