"""Requests whose outcome is unknown, workstations that nobody owns, and what operators decide about them."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import forms, models
from portal.services.key import accounts, credentials
from portal.services.reconciliation import operator_actions
from portal.services.requests import submissions, submitters
from portal.views.components import paging
from portal.views.http import SignedInRequest

_MOST = 200  # of each on the page; the oldest first


@require_GET
@permission_required("portal.see_all", raise_exception=True)
def index(request: SignedInRequest) -> HttpResponse:
    """All of both, with the last scans as evidence."""
    return render(request, "unknown.html", _show())


def _show() -> dict[str, object]:
    account = accounts.get_current_account()
    unknown = models.Request.objects.filter(status=models.Request.Status.UNKNOWN)
    orphans = models.Workstation.objects.orphans().filter(account=account)
    left = submitters.list_left_workstations(account=account)
    return {
        "questions": credentials.list_questions(account=account),
        "left": left.select_related("request__requester", "workspace").order_by("id")[:_MOST],
        "unknown": unknown.select_related("requester", "account").order_by("id")[:_MOST],
        "may_be_foreign": account.baseline_scan == models.Account.BaselineScan.FAILED,
        "orphans": orphans.select_related("workspace", "made_for").order_by("id")[:_MOST],
        "notices": models.Notice.objects.filter(acknowledged_at=None).count(),
        "scans": models.Scan.objects.filter(account=account, ended_at__isnull=False).order_by("-id")[:5],
    }


@require_POST
@permission_required("portal.close_request", raise_exception=True)
def decide(request: SignedInRequest, number: int) -> HttpResponse:
    """What an operator says of an unknown request."""
    portal_request = get_object_or_404(models.Request, pk=number)
    form = forms.DecisionForm(request.POST)
    if not form.is_valid():
        _complain(request, form)
        return redirect("unknown")
    try:
        _carry_out(request, form, portal_request)
    except submissions.NotPossible as error:
        messages.warning(request, str(error))
    else:
        messages.success(
            request, _("%(label)s is resolved. Your reason is in the audit log.") % {"label": portal_request.label}
        )
    return redirect("unknown")


def _carry_out(request: SignedInRequest, form: forms.DecisionForm, portal_request: models.Request) -> None:
    reason = form.cleaned_data["reason"]
    match form.cleaned_data["decision"]:
        case "adopt":
            rows = models.Workstation.objects.filter(account=portal_request.account_id)
            workstation = paging.find_newest(rows=rows, uid=form.cleaned_data["workstation"])
            operator_actions.adopt_workstation(
                actor=request.user, portal_request=portal_request, workstation=workstation, reason=reason
            )
        case "not-created":
            operator_actions.declare_not_created(actor=request.user, portal_request=portal_request, reason=reason)
        case _:
            submissions.close_request(actor=request.user, portal_request=portal_request, reason=reason)


@require_POST
@permission_required("portal.close_request", raise_exception=True)
def release(request: SignedInRequest, uid: str) -> HttpResponse:
    """Give an orphan back."""
    said = _("%(uid)s is being released. Your reason is in the audit log.") % {"uid": uid}
    return _judge_orphan(request, uid, act=operator_actions.release_orphan, said=said)


@require_POST
@permission_required("portal.close_request", raise_exception=True)
def disown(request: SignedInRequest, uid: str) -> HttpResponse:
    """Say that an orphan is not the team's."""
    said = _("%(uid)s is noted as not yours. Your reason is in the audit log.") % {"uid": uid}
    return _judge_orphan(request, uid, act=operator_actions.disown_workstation, said=said)


def _judge_orphan(request: SignedInRequest, uid: str, *, act: Callable[..., None], said: str) -> HttpResponse:
    rows = models.Workstation.objects.filter(account=accounts.get_current_account())
    workstation = paging.find_newest(rows=rows, uid=uid)
    form = forms.ReasonForm(request.POST)
    if not form.is_valid():
        _complain(request, form)
        return redirect("unknown")
    try:
        act(actor=request.user, workstation=workstation, reason=form.cleaned_data["reason"])
    except submissions.NotPossible as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, said)
    return redirect("unknown")


def _complain(request: SignedInRequest, form: forms.ReasonForm) -> None:
    for errors in form.errors.values():
        messages.error(request, " ".join(str(error) for error in errors))
