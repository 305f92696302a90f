"""HTTP as views share it: the request of somebody who is signed in, and the key that its page shows.

Views behind the sign-in middleware get no other request.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from portal import models
from portal.services.key import circuit_breaker

type View = Callable[..., HttpResponse]

require_form = require_http_methods(["GET", "HEAD", "POST"])
require_permission = partial(permission_required, raise_exception=True)


class SignedInRequest(HttpRequest):
    user: models.User


def read_key(request: HttpRequest) -> models.Key:
    """Reads the present key once: everything on a page shows the same state."""
    key: models.Key | None = getattr(request, "portal_key", None)
    return keep_key(request, key=key or circuit_breaker.get_current_key())


def keep_key(request: HttpRequest, *, key: models.Key) -> models.Key:
    """Let the rest of the page show this state of the key."""
    request.portal_key = key  # type: ignore[attr-defined]
    return key


@contextmanager
def saying_why(request: HttpRequest, *refused: type[Exception]) -> Iterator[None]:
    """The next page says why something was refused."""
    try:
        yield
    except refused as error:
        messages.warning(request, str(error))


def acting(
    page: str, *refused: type[Exception], rights: Iterable[str] = ()
) -> Callable[[Callable[..., str | HttpResponse]], View]:
    """A POST that changes something: `page` says what its view returns, or why that was refused; a response stays one.

    A page of one row, whose name ends so, takes the row's number or ID as the view does.
    """

    def decorate(act: Callable[..., str | HttpResponse]) -> View:
        @require_POST
        @wraps(act)
        def answer(request: SignedInRequest, **values: Any) -> HttpResponse:
            if not request.user.has_perms(rights):
                raise PermissionDenied
            with saying_why(request, *refused):
                said = act(request, **values)
                if isinstance(said, HttpResponse):
                    return said
                messages.success(request, said)
            return redirect(page, *(values.values() if page.endswith("_detail") else ()))

        return answer

    return decorate


def read_before(request: HttpRequest) -> int | None:
    """The id below which a page of a list begins; None for the first page."""
    return models.parse_id(request.GET.get("before", ""))


def make_address(request: HttpRequest, path: str) -> str:
    """The whole address of a page, at PORTAL_URL where that is set: whoever asks can name any host."""
    return settings.PORTAL_URL + path if settings.PORTAL_URL else request.build_absolute_uri(path)


def read_target(request: HttpRequest) -> str:
    """Where the page or its form wants to lead afterwards, within the portal; empty otherwise."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_own = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return target if is_own else ""
