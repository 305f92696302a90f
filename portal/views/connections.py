"""Connections: a workstation's desktop, terminal and live log, and addresses for scripts."""

from collections.abc import Iterable
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.middleware.csp import get_nonce
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.urls.converters import StringConverter
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_POST

from portal import forms, models
from portal.services.connections import access, ending, hosts, opening, shares
from portal.views import ends, workstations
from portal.views.components import mirrors
from portal.views.http import SignedInRequest, acting, require_form

Kind = models.Connection.Kind
_FOR_SCRIPTS = tuple(kind for kind in Kind if not kind.way.is_held)


class HeldConverter(StringConverter):
    regex = "|".join(models.Connection.HELD)

    def to_python(self, value: str) -> models.Connection.Kind:
        return Kind.read(value)


@require_GET
def show(request: SignedInRequest, uid: str, kind: models.Connection.Kind) -> HttpResponse:
    try:
        workstation, allowed = _find(request, uid)
    except Http404:
        shared = models.Workstation.objects.filter(shares__person=request.user)
        why = _explain_end(person=request.user, number=mirrors.find_newest(rows=shared, uid=uid).pk)
        return render(request, "workstations/over.html", why, status=HTTPStatus.NOT_FOUND)
    if kind not in allowed.kinds:
        raise Http404
    shown = {
        "workstation": workstation,
        "kind": kind,
        "connection_url": reverse("connection_open", args=[uid]),
        "is_guest": not request.user.sees_all and workstation.owner_id != request.user.pk,
        "waits": allowed.needs_reason,
        "view_only": allowed.is_view_only,
        "may_change_end": access.may_end(person=request.user, workstation=workstation) and not allowed.needs_reason,
        "nonce": get_nonce(request),
    }
    return _allow_connection(request, render(request, f"workstations/{kind}.html", shown), way=kind.way)


def _allow_connection(request: SignedInRequest, response: HttpResponse, *, way: models.Way) -> HttpResponse:
    """Lets the page's browser reach a workstation, and say nowhere where it came from."""
    policy = {**settings.SECURE_CSP, **way.csp}
    policy["connect-src"] = [*policy["connect-src"], *hosts.list_sources()]
    if way.uses_clipboard:
        response.headers["Permissions-Policy"] = "clipboard-read=(self)"
    response.headers["Referrer-Policy"] = "no-referrer"
    return csp_override(policy)(lambda _request: response)(request)


def _find(request: SignedInRequest, uid: str) -> tuple[models.Workstation, access.Access]:
    """Raises Http404 where the person may open nothing of it."""
    rows = access.list_openable(person=request.user)
    workstation = mirrors.find_newest(rows=rows.select_related("request__requester", "workspace"), uid=uid)
    allowed = access.find_access(person=request.user, workstation=workstation)
    if allowed is None:
        raise Http404
    return workstation, allowed


@require_POST
def open_one(request: SignedInRequest, uid: str) -> JsonResponse:
    workstation, allowed = _find(request, uid)
    form = _make_form(request, allowed, models.Connection.HELD)
    if not form.is_valid():
        return _refuse(opening.NotOpened(_("Not opened"), form.words))
    try:
        opened = opening.open_connection(person=request.user, workstation=workstation, **form.cleaned_data)
    except opening.NotOpened as refusal:
        return _refuse(refusal)
    number = opened.connection.pk
    return JsonResponse(
        {
            "connection": number,
            "url": opened.address,
            "view_only": opened.connection.is_view_only,
            "alive": reverse("connection_alive", args=[number]),
            "end": reverse("connection_end", args=[number]),
            "alive_every": ending.ALIVE_EVERY,
            "ends": _describe_life(workstation),
        }
    )


def _make_form(request: SignedInRequest, allowed: access.Access, kinds: Iterable[Kind]) -> forms.ConnectionForm:
    offered = {"kind": [(kind.value, kind.label) for kind in kinds if kind in allowed.kinds]}
    data = request.POST if request.method == "POST" else None
    return forms.ConnectionForm(data, needs_reason=allowed.needs_reason, offered=offered)


def _refuse(refusal: opening.NotOpened) -> JsonResponse:
    is_busy = isinstance(refusal, opening.Busy)
    words = {"state": "busy" if is_busy else "refused", "is_gone": isinstance(refusal, opening.Gone), **vars(refusal)}
    return JsonResponse(words, status=HTTPStatus.SERVICE_UNAVAILABLE if is_busy else HTTPStatus.CONFLICT)


def _find_connection(request: SignedInRequest, number: int) -> models.Connection:
    rows = models.Connection.objects.filter(models.Connection.IS_HELD)
    rows = rows.select_related("workstation__request__requester", "person")
    return get_object_or_404(rows, pk=number, person=request.user)


@require_POST
def note_alive(request: SignedInRequest, number: int) -> JsonResponse:
    connection = _find_connection(request, number)
    if ending.note_alive(connection=connection):
        return JsonResponse({"ended": None, "ends": _describe_life(connection.workstation)})
    why = _explain_end(person=request.user, number=connection.workstation_id, connection=connection)
    return JsonResponse({"ended": why})


def _describe_life(workstation: models.Workstation) -> dict[str, object]:
    """`warning` grows with each warning before the end."""
    words, has_end = ends.describe_end(workstation), workstation.ends_at is not None
    return {"words": words, "has_end": has_end, "warning": workstation.end_warnings}


@require_POST
def end(request: SignedInRequest, number: int) -> HttpResponse:
    ending.end_connection(connection=_find_connection(request, number), by=request.user)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@require_form
def scripts(request: SignedInRequest, uid: str) -> HttpResponse:
    """Each address is shown once, in the response to whoever asked for it."""
    workstation, allowed = _find(request, uid)
    if not {*_FOR_SCRIPTS} <= {*allowed.kinds}:
        raise Http404
    form = _make_form(request, allowed, _FOR_SCRIPTS)
    offered = [offer for offer in access.list_offers(workstation=workstation) if offer.kind in _FOR_SCRIPTS]
    shown = {"workstation": workstation, "form": form, "access": allowed, "offers": offered}
    if form.is_valid():
        try:
            opened = opening.open_connection(person=request.user, workstation=workstation, **form.cleaned_data)
            shown |= {"address": opened.address, "kind": opened.connection.kind}
        except opening.NotOpened as refusal:
            shown["refusal"] = refusal
    return render(request, "workstations/scripts.html", shown)


@acting("workstation_detail", shares.Ended)
def share(request: SignedInRequest, uid: str) -> HttpResponse | str:
    own = models.Workstation.objects.filter(request__requester=request.user)
    workstation = mirrors.find_newest(rows=own, uid=uid)
    form = forms.ShareForm(request.POST)
    if form.is_valid():
        wanted = {
            "name": form.cleaned_data["person"],
            "level": form.cleaned_data["level"],
            "lasts": form.cleaned_data["hours"],
        }
        try:
            made = shares.share_workstation(owner=request.user, workstation=workstation, **wanted)
            return _("Shared with %(name)s.") % {"name": made.person.label}
        except shares.NotShared as error:
            if isinstance(error, shares.Ended):
                raise
            form.add_error("person", str(error))
    return workstations.show_one(request, workstation, refused=form)


@require_POST
def end_share(request: SignedInRequest, number: int) -> HttpResponse:
    own = models.Share.objects.filter(workstation__request__requester=request.user)
    found = get_object_or_404(own.select_related("workstation", "person"), pk=number)
    shares.end_share(share=found, by=request.user)
    messages.success(
        request,
        _(
            "Not shared with %(name)s any more. Their pages of it close within half a minute; a copied address stays "
            "good until the workstation ends."
        )
        % {"name": found.person.label},
    )
    return redirect("workstation_detail", found.workstation.uid)


def _explain_end(*, person: models.User, number: int, connection: models.Connection | None = None) -> dict[str, object]:
    """Nothing is gone where the person may still hold the connection, which has ended because its page was silent."""
    rows = models.Workstation.objects.select_related("release_requested_by", "request__requester")
    row, now = rows.get(pk=number), timezone.now()
    share = models.Share.objects.filter(person=person, workstation=row).order_by("-pk").first()
    released = _("%(by)s released this workstation at %(time)s. Its files stay in %(owner)s's workspace.")
    if row.release_requested_by is None:
        released = _(
            "Its end was reached at %(time)s, and the portal released it. Its files stay in %(owner)s's workspace."
        )
    forbidden = _("You may no longer use this workstation in this way.")
    allowed = access.find_access(person=person, workstation=row)
    may_hold = connection is not None and allowed is not None and allowed.allows(connection)
    ends = [
        (share and (share.ended_at or share.until), _("%(owner)s shared this workstation with you until %(time)s.")),
        (row.release_requested_at, released),
        (row.ended_at, _("AgentStation ended it, or it ended by itself. Its files stay in %(owner)s's workspace.")),
        (now, _("The portal heard nothing of this page for some time.") if may_hold else forbidden),
    ]
    at, text = min((at, text) for at, text in ends if at)
    owner, by = row.request and row.request.requester.label, row.release_requested_by and row.release_requested_by.label
    values = {"owner": owner, "by": by, "time": date_format(timezone.localtime(at), "H:i T, j M")}
    return {"title": _("The connection was closed"), "text": text % values, "is_gone": at < now or not may_hold}
