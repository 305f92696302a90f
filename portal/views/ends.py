"""When a workstation ends: shown, and changed by its owner or, with a reason, by an operator."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal import forms, models
from portal.services.connections import access
from portal.services.lives import ends
from portal.services.people import policy
from portal.views.components import mirrors
from portal.views.http import SignedInRequest


@require_POST
def change_end(request: SignedInRequest, uid: str) -> HttpResponse:
    """Two hours later with `longer`, else as the form says. A page of a connection gets the new end as JSON."""
    rows = models.Workstation.objects.visible_to(request.user).select_related("request__requester")
    workstation = mirrors.find_newest(rows=rows, uid=uid)
    if not access.may_end(person=request.user, workstation=workstation):
        raise Http404
    level = messages.SUCCESS
    try:
        _change(request, workstation)
        words = describe_end(workstation)
    except ends.NotChanged as error:
        level, words = messages.WARNING, str(error)
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse({"words": words, "has_end": workstation.ends_at is not None})
    messages.add_message(request, level, words)
    return redirect("workstation_detail", uid)


def _change(request: SignedInRequest, workstation: models.Workstation) -> None:
    """Raises NotChanged."""
    form = make_form(request.user, workstation, data=request.POST)
    if not form.is_valid():
        raise ends.NotChanged(form.words)
    wanted = {"actor": request.user, "workstation": workstation, "reason": form.cleaned_data.get("reason", "")}
    if "longer" in request.POST:
        ends.extend_life(**wanted)
    elif not request.POST.get("lifetime"):
        raise ends.NotChanged(_("Choose after how long it ends."))
    else:
        ends.change_end(lifetime=form.cleaned_data["lifetime"], **wanted)
    workstation.refresh_from_db()


def make_form(person: models.User, workstation: models.Workstation, *, data: Any = None) -> forms.EndForm:
    return forms.EndForm(data, policy=policy.read_policy(), is_own=workstation.owner_id == person.pk)


def describe_end(workstation: models.Workstation) -> str:
    return render_to_string("workstations/end_words.html", {"workstation": workstation}).strip()
