"""HTTP as views share it: the request of somebody who is signed in, and the key that its page shows.

Views behind the sign-in middleware get no other request.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.http import HttpRequest

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


@contextmanager
def saying_why(request: HttpRequest, refused: type[Exception]) -> Iterator[None]:
    """Let the next page say why something was refused, where it is."""
    try:
        yield
    except refused as error:
        messages.warning(request, str(error))
