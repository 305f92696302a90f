"""Requests whose outcome is unknown, workstations that nobody owns, and what operators decide about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import forms, models
from portal.services.key import credentials
from portal.services.reconciliation import completeness, operator_actions, review
from portal.services.requests import submissions
from portal.views.components import mirrors, review_rows
from portal.views.http import SignedInRequest, read_key, require_permission

_LAST_SCANS = 5


@require_GET
@require_permission("portal.see_all")
def index(request: SignedInRequest) -> HttpResponse:
    return render(request, "unknown.html", {"page": _describe_page(request)})


@require_POST
@require_permission("portal.close_request")
def decide(request: SignedInRequest, number: int) -> HttpResponse:
    portal_request = get_object_or_404(models.Request.objects.select_related("account"), pk=number)
    form = review_rows.make_request_form(user=request.user, portal_request=portal_request, data=request.POST)
    act = partial(_settle, request, form, portal_request)
    return _answer(request, form, label=portal_request.label, act=act)


def _settle(request: SignedInRequest, form: forms.DecisionForm, portal_request: models.Request) -> str:
    decision, workstation, reason = (form.cleaned_data[name] for name in ("decision", "workstation", "reason"))
    services: dict[str, Callable[..., object]] = {
        form.ADOPT: partial(operator_actions.adopt_workstation, workstation=workstation),
        form.NOT_CREATED: operator_actions.declare_not_created,
        form.GIVE_UP: submissions.close_request,
    }
    services[decision](actor=request.user, portal_request=portal_request, reason=reason)
    return _("%(label)s is resolved. Your reason is in the audit log.") % {"label": portal_request.label}


@require_POST
@require_permission("portal.close_request")
def decide_orphan(request: SignedInRequest, uid: str, **decision: str) -> HttpResponse:
    """`decision` is given where the address says it, and not the form."""
    rows = models.Workstation.objects.filter(account=read_key(request).account)
    workstation = mirrors.find_newest(rows=rows, uid=uid)
    form = review_rows.make_orphan_form(workstation=workstation, data=request.POST.dict() | decision)
    return _answer(request, form, label=uid, act=partial(_judge_orphan, request, form, workstation))


def _judge_orphan(request: SignedInRequest, form: forms.OrphanForm, workstation: models.Workstation) -> str:
    reason, values = form.cleaned_data["reason"], {"uid": workstation.uid}
    if form.cleaned_data["decision"] == form.RELEASE:
        operator_actions.release_orphan(actor=request.user, workstation=workstation, reason=reason)
        return _("Release requested of %(uid)s. Your reason is in the audit log.") % values
    operator_actions.disown_workstation(actor=request.user, workstation=workstation, reason=reason)
    if workstation.request_id is not None:
        return _("%(uid)s is left out: scans are complete without it. Your reason is in the audit log.") % values
    return _("%(uid)s is noted as not yours. Your reason is in the audit log.") % values


def _answer(request: SignedInRequest, form: forms.ReasonForm, *, label: str, act: Callable[[], str]) -> HttpResponse:
    """Acts on a valid form. A refused one is shown as it was sent, or in messages where its row is not on the page."""
    if form.is_valid():
        try:
            messages.success(request, act())
            return redirect("unknown")
        except submissions.NotPossible as error:
            form.add_error(None, str(error))
    page = _describe_page(request, refused=form)
    if page["refused"] is not None:
        return render(request, "unknown.html", {"page": page, "refused_label": label})
    for errors in form.errors.values():
        said = {"label": label, "errors": " ".join(str(error) for error in errors)}
        messages.warning(request, _("%(label)s: %(errors)s") % said)
    return redirect("unknown")


@dataclass(frozen=True)
class _Section[T]:
    rows: Sequence[T]
    count: str


def _describe_page(request: SignedInRequest, *, refused: forms.ReasonForm | None = None) -> dict[str, object]:
    """`is_up_to_date`: nothing was sent since the last complete scan began. `refused` only where its row is shown."""
    user, account, now = request.user, read_key(request).account, timezone.now()
    found = review.read_review(account=account, now=now)
    needing, checking = (
        _cut([review_rows.describe_request(case, user=user, now=now, refused=refused) for case in cases])
        for cases in (found.needing, found.checking)
    )
    orphans = [review_rows.describe_orphan(row, user=user, refused=refused) for row in found.orphans]
    unassigned = _cut(orphans, count=sum(row.release_requested_at is None for row in found.orphans))
    left = submissions.list_left_workstations(account=account).select_related("request__requester", "workspace")
    last_scans = models.Scan.objects.filter(account=account, ended_at__isnull=False).order_by("-id")[:_LAST_SCANS]
    complete = next((scan for scan in last_scans if scan.is_complete), None)
    newest = models.Attempt.objects.filter(request__account=account).order_by("-id").first()
    shown: list[review_rows.Row] = [*needing.rows, *unassigned.rows, *checking.rows]
    return {
        "questions": credentials.list_questions(account=account),
        "needing": needing,
        "orphans": unassigned,
        "left": _cut(list(left.order_by("id")[: review.MOST + 1])),
        "checking": checking,
        "scans": last_scans,
        "may_be_foreign": account.baseline_scan == models.Account.BaselineScan.FAILED,
        "left_out": completeness.list_left_out(account=account).select_related("request__requester").first(),
        "last_complete": complete,
        "is_up_to_date": complete and (not newest or newest.claimed_tick <= complete.begun_tick),
        "refused": refused if any(row.decision and row.decision.form.is_bound for row in shown) else None,
    }


def _cut[T](rows: Sequence[T], *, count: int | None = None) -> _Section[T]:
    """`count`: how many wait, where these are not all."""
    count = len(rows) if count is None else count
    return _Section(rows[: review.MOST], f"{review.MOST}+" if count > review.MOST else str(count))
