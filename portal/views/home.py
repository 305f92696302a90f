"""The first page: what is yours, and the state of the key."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal import models
from portal.views.components import live, overview
from portal.views.http import SignedInRequest, read_key


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    """A person's last requests and live workstations; for whoever sees everything, an overview above them."""
    account = read_key(request).account
    sees_all = request.user.has_perm("portal.see_all")
    found = overview.read_overview(user=request.user, account=account) if sees_all else None
    return render(request, "home.html", {**_show(request), "overview": found})


@require_GET
def live_home(request: SignedInRequest) -> HttpResponse:
    """The live part of home. It has no end, but asks seldom while nothing is under way."""
    shown = _show(request)
    if live.is_seen(request, shown["live"].version):
        return HttpResponse(status=204)
    return render(request, "home.html#live", shown)


def _show(request: SignedInRequest) -> dict[str, Any]:
    own = models.Request.objects.filter(requester=request.user)
    running = models.Workstation.objects.live_for(request.user)
    requests = list(own.order_by("-id")[:8])
    workstations = list(running.select_related("workspace", "request").order_by("-id")[:20])
    facts = (
        [(row.pk, row.status, row.failure) for row in requests],
        [
            (row.pk, row.status, row.type, row.workspace_id, row.release_requested_at, row.doubted_at)
            for row in workstations
        ],
    )
    is_busy = bool(workstations) or any(not row.is_final for row in requests)
    key = read_key(request)
    return {
        "requests": requests,
        "workstations": workstations,
        "live": live.Part(version=live.read_version(request, facts, key=key), pause=5 if is_busy else 15),
    }
