"""The guide to failures: the catalogue, in words for people."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal import failures
from portal.sandbox import names
from portal.views.http import SignedInRequest


@require_GET
def index(request: SignedInRequest) -> HttpResponse:
    """Every failure; with the sandbox, also the names with which to rehearse them."""
    rehearsals = names.RESERVED if settings.USING_SANDBOX else ()
    return render(request, "failures/list.html", {"failures": failures.CATALOGUE.values(), "rehearsals": rehearsals})


@require_GET
def detail(request: SignedInRequest, code: str) -> HttpResponse:
    """One failure."""
    if code not in failures.CATALOGUE:
        raise Http404
    return render(request, "failures/detail.html", {"failure": failures.CATALOGUE[code]})
