"""Requests: the form, the history, one request with its live part, cancelling and closing."""

from functools import partial
from itertools import count
from operator import attrgetter
from uuid import uuid4

from django.db.models import BigIntegerField, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal import forms, models
from portal.models.compiled import compiled
from portal.services.limits import limits
from portal.services.mirrors import types
from portal.services.people import policy
from portal.services.reconciliation import completeness, operator_actions
from portal.services.reports import timeline, usage, version_query
from portal.services.requests import fair_queue, notes, running, submissions
from portal.services.search import paging
from portal.views import failure_pages, history, workspaces
from portal.views.components import links, live, request_panels, review_rows
from portal.views.http import SignedInRequest, acting, keep_key, read_key, require_form, require_permission

_MOST_WORKSPACES = 100  # that the form offers
_States = models.Request.Status
_SOONEST = 0.3  # seconds between the polls of a page whose request is being sent
_POLLS_A_SECOND = 50  # of all these pages together: each costs a web process 1 to 2 ms


@require_form
@require_permission("portal.submit_request")
def new(request: SignedInRequest) -> HttpResponse:
    account = read_key(request).account
    decided = policy.read_policy()
    values = {"data": request.POST.dict()} if request.method == "POST" else {"initial": _fill(request)}
    form = forms.RequestForm(**values, types=_list_types(account), policy=decided)
    if form.is_bound and form.is_valid():
        try:
            made = submissions.submit_request(
                requester=request.user, account=account, decided=decided, **form.submitted
            )
            return redirect("request_detail", made.pk)
        except submissions.SubmissionReused as error:
            form.add_error("submission", str(error))
        except submissions.WorkspaceNotFound as error:
            form.add_error("workspace_id" if form.has_typed_workspace else "place", str(error))
        except (limits.Limited, running.Reached) as error:
            form.add_error(None, str(error))
    if "submission" in form.errors:  # a new number, so that sending it again works
        form.data = {**form.data, "submission": str(uuid4())}
    newest = _read_workspaces(user_id=request.user.pk, account_id=account.pk)
    form.offer(workspaces=sorted(newest, key=attrgetter("last_at"), reverse=True))
    uses = running.list_uses(decided=decided, account=account, person=request.user)
    is_full = any(use.is_full for use in uses)
    shown = {
        "form": form,
        "is_rehearsal": failure_pages.is_rehearsal(workspace_uid=form["workspace_id"].value() or ""),
        "left": running.describe_left(uses=uses),
        "counted": running.list_counted(account=account, person=request.user)[: paging.PAGE_SIZE] if is_full else (),
        "typical_duration": usage.read_typical_duration(account=account),
    }
    return render(request, "requests/new.html", shown)


def _fill(request: SignedInRequest) -> dict[str, object]:
    last = models.Request.objects.filter(requester=request.user).order_by("-id").values_list("type", flat=True).first()
    values: dict[str, object] = {
        "submission": uuid4(),
        "type": last or "",
        "workspace_id": request.GET.get("workspace_id", ""),
    }
    again = models.parse_id(request.GET.get("again", ""))
    if again is not None:
        earlier = models.Request.objects.visible_to(request.user).filter(pk=again).first()
        if earlier is not None:
            values |= forms.RequestForm.repeat(earlier)
            if (failure := earlier.failure_row) and failure.refuses_workspace:
                values |= {"workspace_id": "", "refused_workspace": earlier.workspace_uid}
    return values


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    page = history.read_page(user=request.user, query=request.GET)
    shown = {"page": page, "presets": links.list_presets(query=page.query)}
    return _show_rows(request, "requests/history.html", page.requests, **shown)


@require_GET
def live_rows(request: SignedInRequest) -> HttpResponse:
    """The rows are asked for by their numbers: they keep their places whatever becomes of them."""
    rows = history.read_rows(user=request.user, numbers=request.GET.get("numbers", ""))
    return _show_rows(request, "requests/history.html#live", rows)


def _show_rows(request: SignedInRequest, template: str, rows: list[models.Request], **shown: object) -> HttpResponse:
    # No words: Django translates all statuses for each row that is asked for its own.
    facts = [(row.pk, row.status, row.needs_review, row.failure) for row in rows]
    version = live.read_version(request, facts, key=read_key(request))
    is_live = any(not row.is_final for row in rows)
    shown |= {
        "rows": rows,
        "numbers": ",".join(str(row.pk) for row in rows),
        "with_person": request.user.sees_all,
        "live": live.Part(version=version, pause=5) if is_live else None,
    }
    return live.render_news(request, template, lambda: shown, version=version)


@require_GET
def detail(request: SignedInRequest, number: int, template: str = "requests/detail.html") -> HttpResponse:
    found = _read_version(request, number)
    version = live.read_version(request, found.facts, key=found.key)
    return live.render_news(request, template, partial(_show_one, request, number, found), version=version)


def _read_version(request: SignedInRequest, number: int) -> version_query.RequestVersion:
    found = version_query.read_request_version(number=number)
    # Whose own it is needs no permission, which would be one more query.
    if found is None or (found.requester_id != request.user.pk and not request.user.sees_all):
        raise Http404
    keep_key(request, key=found.key)
    return found


def _show_one(request: SignedInRequest, number: int, found: version_query.RequestVersion) -> dict[str, object]:
    """Everything is read after its version: it may be newer than the version says, and never older."""
    rows = _read_request(number=number)
    if not rows:  # it was deleted since
        raise Http404
    portal_request = rows[0]
    past = timeline.read_request_history(portal_request=portal_request, was_claimed=found.was_claimed)
    portal_request, key = past.portal_request, found.key
    is_waiting = portal_request.status == _States.QUEUED
    position = fair_queue.find_position(portal_request=portal_request) if is_waiting else None
    failure = portal_request.failure_row
    is_failed = portal_request.status == _States.FAILED
    is_own = portal_request.requester_id == request.user.pk
    may_decide = notes.may_requester_decide(note=portal_request.operator_note)
    is_rehearsal = failure_pages.is_rehearsal(workspace_uid=portal_request.workspace_uid)
    page = request_panels.describe_page(request, past=past, is_rehearsal=is_rehearsal, is_own=is_own)
    version = live.read_version(request, found.facts, key=key)
    part = _make_part(portal_request, key=key, position=position, version=version)
    return {
        "portal_request": portal_request,
        "live": None if portal_request.is_final else part,
        "is_settled": is_failed and not past.is_given_up and failure and failure.may_exist,
        "attempts": past.attempts,
        "steps": timeline.fold_steps(steps=timeline.list_steps(request_history=past)),
        "waiting": request_panels.describe_waiting(past, key=key, position=position),
        "known_by": past.known_by,
        "now": timezone.now(),
        "page": page,
        "ending": past.ending,
        "support": request_panels.describe_for_support(past),
        "is_own": is_own,
        "may_decide": may_decide,
        "left_out": _find_left_out(request, portal_request),
        "is_asked": is_own and may_decide and portal_request.status == _States.UNKNOWN,
        "list_possible": partial(review_rows.list_possible, portal_request),  # called where its requester is asked
        "reason_form": forms.ReasonForm(),
    }


def _find_left_out(request: SignedInRequest, portal_request: models.Request) -> models.Workstation | None:
    if portal_request.operator_note != notes.LEFT_OUT:
        return None
    left_out = completeness.list_left_out(account=portal_request.account).values("pk")
    return models.Workstation.objects.visible_to(request.user).filter(pk__in=left_out).first()


@compiled(number=BigIntegerField())
def _read_request(*, number: int) -> QuerySet[models.Request]:
    return (
        models.Request.objects.with_end()
        .select_related("requester", "account", "workstation__workspace")
        .filter(pk=number)
    )


def _make_part(portal_request: models.Request, *, key: models.Key, position: int | None, version: str) -> live.Part:
    """It asks often near the front of the queue, and seldom at its end."""
    is_unknown = portal_request.status == _States.UNKNOWN
    pause = 5 if is_unknown else min(2 + (position or 0) // 2, 30)
    soon = _find_soon(portal_request, key=key, position=position)
    return live.Part(version=version, pause=pause, is_awaited=True, soon=soon)


def _find_soon(portal_request: models.Request, *, key: models.Key, position: int | None) -> float:
    """0 where no answer can come any moment."""
    may_begin = portal_request.status == _States.QUEUED and not key.is_paused and not portal_request.next_attempt_at
    if portal_request.status != _States.SENDING and not may_begin:
        return 0.0
    # What was waiting when it was read may be sent by now, so that fewer wait than its position says.
    asking, following = fair_queue.count_soon(key=key)
    return max(_SOONEST, asking / _POLLS_A_SECOND) if (position or 0) <= following else 0.0


@acting("request_detail", submissions.NotPossible)
def cancel(request: SignedInRequest, number: int) -> str:
    portal_request = get_object_or_404(models.Request, pk=number, requester=request.user)
    was_sent = portal_request.status == _States.UNKNOWN
    submissions.cancel_request(actor=request.user, portal_request=portal_request)
    portal_request.refresh_from_db()
    said = _("%(label)s is cancelled. Nothing was created.")
    if portal_request.status != _States.CANCELLED:
        said = _(
            "Noted. If nothing was created, the request is cancelled. If a workstation was created, you can release it."
        )
    elif was_sent:
        said = _("%(label)s is cancelled. If a workstation was created for it, operators see it.")
    return said % {"label": portal_request.label}


@acting("request_detail", submissions.NotPossible)
def declare_not_created(request: SignedInRequest, number: int) -> str:
    portal_request = get_object_or_404(models.Request, pk=number, requester=request.user)
    operator_actions.declare_not_created(actor=request.user, portal_request=portal_request)
    portal_request.refresh_from_db()
    is_cancelled = portal_request.status == _States.CANCELLED
    said = _("%(label)s is cancelled.") if is_cancelled else _("%(label)s is in the queue again.")
    return said % {"label": portal_request.label}


@acting("request_detail", submissions.NotPossible, rights=["portal.close_request"])
def close(request: SignedInRequest, number: int) -> HttpResponse | str:
    portal_request = get_object_or_404(models.Request.objects.visible_to(request.user), pk=number)
    form = forms.ReasonForm(request.POST)
    if not form.is_valid():
        shown = _show_one(request, number, _read_version(request, number))  # not live: the form is being filled in
        return render(request, "requests/detail.html", shown | {"reason_form": form, "live": None})
    submissions.close_request(actor=request.user, portal_request=portal_request, **form.cleaned_data)
    return _("%(label)s is closed. Your reason is in the audit log.") % {"label": portal_request.label}


def _list_types(account: models.Account) -> list[models.WorkstationType]:
    """Those that the portal knows come first, in its order."""
    order = dict(zip(models.Request.Type.values, count(), strict=False))
    return sorted(types.list_offered_types(account=account), key=lambda one: order.get(one.name, len(order)))


@compiled(user_id=BigIntegerField(), account_id=BigIntegerField())
def _read_workspaces(*, user_id: int, account_id: int) -> QuerySet[models.Workspace]:
    own = models.Workspace.objects.filter(owner=user_id, account=account_id).defer("raw")
    return workspaces.annotate_use(own).order_by("-id")[:_MOST_WORKSPACES]
