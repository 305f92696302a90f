"""The first page: what is yours, and the state of the key."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal import models
from portal.views.http import SignedInRequest


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    """A person's last requests and live workstations."""
    requests = models.Request.objects.filter(requester=request.user).select_related("workstation")
    live = models.Workstation.objects.live().filter(request__requester=request.user)
    context = {
        "requests": requests.order_by("-id")[:8],
        "workstations": live.select_related("workspace", "request").order_by("-id")[:20],
    }
    return render(request, "home.html", context)
