"""Lists as files: exactly the requests, or the workstations, that the filters in the address find."""

from functools import partial

from django.forms import Form
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal import models
from portal.services.reports import evidence
from portal.services.search import paging
from portal.views import history, workstations
from portal.views.http import SignedInRequest, require_permission
from portal.web.streams import limit_streams, send_rows


@require_POST
@limit_streams
def download(request: SignedInRequest, form: str) -> HttpResponseBase:
    """The file is written while it is sent, and recorded. A filter that cannot be read leads to the history."""
    asked = history.read_form(user=request.user, query=request.GET)
    return _send(request, "requests", form, asked=asked, find=partial(history.find, request.user, asked))


@require_POST
@limit_streams
def download_workstations(request: SignedInRequest) -> HttpResponseBase:
    asked = workstations.read_form(request)
    return _send(request, "workstations", "csv", asked=asked, find=partial(workstations.find_all, request, asked))


def _send(request: SignedInRequest, kind: str, form: str, *, asked: Form, find: paging.Find[int]) -> HttpResponseBase:
    if not asked.is_valid():
        return redirect(f"{reverse(f'{kind[:-1]}_list')}?{request.GET.urlencode()}")
    return send_rows(
        actor=request.user,
        kind=kind,
        form=form,
        asked=history.read_shown(asked, query=request.GET),
        find=find,
        newest_first=asked.cleaned_data.get("sort") != "oldest",
    )


@require_POST
@require_permission("portal.close_request")
def download_evidence(request: SignedInRequest, number: int) -> HttpResponse:
    """Each download is recorded."""
    portal_request = get_object_or_404(models.Request.objects.visible_to(request.user), pk=number)
    headers = {
        "Content-Disposition": f'attachment; filename="{portal_request.label}-evidence.json"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    }
    bundle = evidence.take_evidence(actor=request.user, portal_request=portal_request)
    return JsonResponse(bundle, json_dumps_params={"indent": 2}, headers=headers)
