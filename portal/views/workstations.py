"""Workstations: those that a person may see, one of them, and giving it back."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal import failures, forms, models
from portal.services.mirrors import doubts, releases
from portal.views.components import live, paging
from portal.views.http import SignedInRequest, read_key


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    """The workstations, newest first."""
    sees_all = request.user.has_perm("portal.see_all")
    return render(request, "workstations/list.html", {"page": _read_all(request) if sees_all else _read_own(request)})


def _read_all(request: SignedInRequest) -> paging.Page[models.Workstation]:
    rows = models.Workstation.objects.select_related("request__requester", "workspace")
    return paging.read_page(rows=rows, query=request.GET)


def _read_own(request: SignedInRequest) -> paging.Page[models.Workstation]:
    """Those of the person's own requests, in the order of these, which an index keeps."""
    own = models.Request.objects.filter(requester=request.user, workstation__isnull=False)
    page = paging.read_page(rows=own.select_related("requester", "workstation__workspace"), query=request.GET)
    return paging.Page(rows=[row.workstation for row in page.rows], older=page.older, is_first=page.is_first)


@require_GET
def detail(request: SignedInRequest, uid: str) -> HttpResponse:
    """One workstation with the files and logs of its workspace."""
    workstation = _find(request, uid)
    part = _read_part(request, workstation)
    return render(request, "workstations/detail.html", _show_one(request, workstation, part=part))


@require_GET
def live_one(request: SignedInRequest, uid: str) -> HttpResponse:
    """The part of the page that changes."""
    workstation = _find(request, uid)
    part = _read_part(request, workstation)
    if live.is_seen(request, part.version):
        return HttpResponse(status=204)
    return render(request, "workstations/detail.html#live", _show_one(request, workstation, part=part))


def _find(request: SignedInRequest, uid: str) -> models.Workstation:
    visible = models.Workstation.objects.visible_to(request.user).select_related("request__requester", "workspace")
    return paging.find_newest(rows=visible, uid=uid)


def _read_part(request: SignedInRequest, workstation: models.Workstation) -> live.Part:
    """How the page asks again. Files and logs are in the provider's response; when it was last heard, to the minute."""
    heard = workstation.refreshed_at.replace(second=0, microsecond=0)
    release = workstation.release_requested_at, workstation.release_tries, workstation.release_failure
    facts = workstation.raw, release, workstation.doubted_at, workstation.ended_at, heard
    key = read_key(request)
    is_moving = workstation.status != "active" or workstation.release_requested_at is not None
    return live.Part(version=live.read_version(request, facts, key=key), pause=5, is_awaited=is_moving)


def _show_one(request: SignedInRequest, workstation: models.Workstation, *, part: live.Part) -> dict[str, object]:
    contents = paging.read_contents(workspace=workstation.workspace, user=request.user)
    is_own = _is_own(request, workstation)
    return {
        "workstation": workstation,
        "workspace": workstation.workspace,
        "live": part if workstation.is_live else None,
        "raw": paging.show_raw(workstation.raw, contents=contents),
        **contents,
        "may_release": _may_release(request, workstation)
        and workstation.is_live
        and not workstation.release_requested_at,
        "refusal": _describe_refusal(workstation.release_failure),
        "may_declare_ended": _may_declare_ended(request, workstation),
        "is_own": is_own,
        "is_own_running": is_own
        and workstation.is_live
        and not workstation.release_requested_at
        and not workstation.doubted_at,
    }


def _is_own(request: SignedInRequest, workstation: models.Workstation) -> bool:
    return workstation.request is not None and workstation.request.requester_id == request.user.pk


def _may_act(request: SignedInRequest, workstation: models.Workstation) -> bool:
    return _is_own(request, workstation) or request.user.has_perm("portal.close_request")


def _may_release(request: SignedInRequest, workstation: models.Workstation) -> bool:
    """Orphans are given back on the operators' page."""
    return workstation.request is not None and _may_act(request, workstation)


def _may_declare_ended(request: SignedInRequest, workstation: models.Workstation) -> bool:
    is_in_doubt = workstation.doubted_at is not None and _may_act(request, workstation)
    return is_in_doubt and doubts.may_be_declared_ended(workstation=workstation)


def _describe_refusal(code: str) -> failures.Words:
    """What the last try to release it met. The catalogue says of a 422 what it means to a request."""
    if code == "422":
        return _("AgentStation doesn't find it")
    return failures.CATALOGUE[code].title if code in failures.CATALOGUE else code


def _read_reason(request: SignedInRequest, workstation: models.Workstation) -> str | None:
    """Why, which only what is one's own needs not; None, and a message, where it is missing or too long."""
    form = forms.ReasonForm(request.POST)
    form.fields["reason"].required = not _is_own(request, workstation)
    if form.is_valid():
        return str(form.cleaned_data["reason"])
    messages.error(request, " ".join(str(error) for error in form.errors["reason"]))
    return None


@require_POST
def release(request: SignedInRequest, uid: str) -> HttpResponse:
    """Give a workstation back: one's own, or, as an operator and with a reason, another's."""
    workstation = _find(request, uid)
    if not _may_release(request, workstation):
        raise Http404
    reason = _read_reason(request, workstation)
    if reason is None:
        return redirect("workstation_detail", uid)
    try:
        releases.request_release(actor=request.user, workstation=workstation, reason=reason)
    except releases.NotLive as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("The workstation is being released. Its files stay in the workspace."))
    return redirect("workstation_detail", uid)


@require_POST
def declare_ended(request: SignedInRequest, uid: str) -> HttpResponse:
    """Say of a workstation that has not been found for a day that it has ended."""
    workstation = _find(request, uid)
    if not _may_act(request, workstation):
        raise Http404
    reason = _read_reason(request, workstation)
    if reason is None:
        return redirect("workstation_detail", uid)
    try:
        doubts.declare_ended(actor=request.user, workstation=workstation, reason=reason)
    except doubts.NotInDoubt as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("Noted: this workstation has ended."))
    return redirect("workstation_detail", uid)
