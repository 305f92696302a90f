"""HTTP as views share it: the request of somebody who is signed in, and what browsers tell of the page before.

Views behind the sign-in middleware get no other request.
"""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse

from portal import models
from portal.services.key import circuit_breaker


class SignedInRequest(HttpRequest):
    """An HTTP request whose user is a person."""

    user: models.User


def read_key(request: HttpRequest) -> models.Key:
    """The state of the present key as the page shows it: all that asks for it gets what was read first."""
    key: models.Key | None = getattr(request, "portal_key", None)
    return keep_key(request, key=key or circuit_breaker.get_current_key())


def keep_key(request: HttpRequest, *, key: models.Key) -> models.Key:
    """Let the rest of the page show this state of the key."""
    request.portal_key = key  # type: ignore[attr-defined]
    return key


def with_referrer[**P](view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """The view, whose page browsers name to the portal, and to nobody else, when they ask for what follows it."""

    @wraps(view)
    def respond(*args: P.args, **values: P.kwargs) -> HttpResponse:
        response = view(*args, **values)
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return respond
