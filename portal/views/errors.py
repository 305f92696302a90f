"""Pages for what went wrong before a view could answer."""

import functools
import logging
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from portal.db import describe_failure
from portal.services.limits import throttle

logger = logging.getLogger(__name__)

_TRY_AGAIN = "5"  # seconds
# PostgreSQL's codes where the time was over that a query of a page has, or a page between two.
_TOO_LONG = {"57014", "25P03"}


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)


def say_busy() -> HttpResponse:
    """It costs next to nothing and writes no line to the log, for there may be very many."""
    response = HttpResponse(_render_busy(), status=503, headers={"Retry-After": _TRY_AGAIN})
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@functools.cache
def _render_busy() -> str:
    return loader.render_to_string("signing_in.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """503 where the database is away, full, locked or took too long, or too many sign in; else 500.

    None of these pages asks the database for anything.
    """
    error = sys.exception()
    if getattr(getattr(error, "__cause__", None), "sqlstate", "") in _TOO_LONG:
        return HttpResponse(loader.render_to_string("slow.html"), status=503)
    if isinstance(error, throttle.TooManyHashings):
        return say_busy()
    if isinstance(error, OperationalError | InterfaceError):
        logger.error(describe_failure(error))
        page = loader.render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": _TRY_AGAIN})
    return HttpResponse(loader.render_to_string("500.html"), status=500)
