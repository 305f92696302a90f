"""What the last check of the audit log has found, and asking for another."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.services.audit import nightly
from portal.views.http import SignedInRequest, require_permission


@require_GET
@require_permission(("portal.see_all", "portal.view_event"))
def show(request: SignedInRequest) -> HttpResponse:
    shown = {"check": nightly.read_check(), "newer": nightly.count_newer(), "most": nightly.MOST_KEPT}
    return render(request, "audit_log.html", shown)


@require_POST
@require_permission(("portal.see_all", "portal.view_event"))
def ask_check(request: SignedInRequest) -> HttpResponse:
    nightly.ask_check(actor=request.user)
    messages.success(request, _("Check requested. Its result will be on this page."))
    return redirect("audit_log")
