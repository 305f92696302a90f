"""The first page: what is yours, and the state of the key."""

from functools import partial
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.services.people import people
from portal.services.reports import typical_duration
from portal.views.components import home_page, live, overview
from portal.views.http import SignedInRequest, read_key


@require_GET
def show(request: SignedInRequest) -> HttpResponse:
    """What is a person's own; for whoever sees everything, an overview above it."""
    sees_all = request.user.has_perm("portal.see_all")
    found = overview.read_overview(user=request.user, key=read_key(request)) if sees_all else None
    return render(request, "home.html", {**_show(request), "overview": found})


@require_GET
def live_home(request: SignedInRequest) -> HttpResponse:
    """The live part of home. It has no end, but asks seldom while nothing is under way."""
    shown = _show(request)
    if live.is_seen(request, shown["live"].version):
        return HttpResponse(status=204)
    return render(request, "home.html#live", shown)


@require_POST
def dismiss(request: SignedInRequest, number: int) -> HttpResponse:
    """Say no more of the releases up to this event."""
    people.dismiss_releases(person=request.user, until=number)
    return redirect("home")


def _show(request: SignedInRequest) -> dict[str, Any]:
    key = read_key(request)
    found = home_page.read_home_page(user=request.user)
    version = live.read_version(request, found.facts, key=key)
    return {
        "home_page": found,
        "live": live.Part(version=version, pause=5 if found.is_busy else 15),
        # Called where they are shown, which a poll without news does not.
        "list_released": partial(home_page.list_released, found=found, user=request.user),
        "list_again": partial(home_page.list_again, user=request.user, requests=found.requests),
        "read_typical_duration": partial(typical_duration.read_typical_duration, account=key.account),
    }
