"""What the last check of the audit log has found, and asking for another."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.services.audit import nightly
from portal.views.http import SignedInRequest, acting, require_permission

_RIGHTS = ("portal.see_all", "portal.view_event")


@require_GET
@require_permission(_RIGHTS)
def show(request: SignedInRequest) -> HttpResponse:
    shown = {"check": nightly.read_check(), "newer": nightly.count_newer(), "most": nightly.MOST_KEPT}
    return render(request, "audit_log.html", shown)


@acting("audit_log", rights=_RIGHTS)
def ask_check(request: SignedInRequest) -> str:
    nightly.ask_check(actor=request.user)
    return _("Check requested. Its result will be on this page.")
