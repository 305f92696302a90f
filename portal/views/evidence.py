"""The evidence about a request, for operators to keep or to send to the provider."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from portal import models
from portal.services.reports import evidence
from portal.views.http import SignedInRequest


@require_POST
@permission_required("portal.close_request", raise_exception=True)
def download(request: SignedInRequest, number: int) -> HttpResponse:
    """Everything that is stored about a request, as a file. Each download is recorded."""
    portal_request = get_object_or_404(models.Request.objects.visible_to(request.user), pk=number)
    headers = {
        "Content-Disposition": f'attachment; filename="{portal_request.label}-evidence.json"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    }
    bundle = evidence.take_evidence(actor=request.user, portal_request=portal_request)
    return JsonResponse(bundle, json_dumps_params={"indent": 2}, headers=headers)
