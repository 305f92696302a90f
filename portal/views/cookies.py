"""The portal's own cookies: the names known to a browser, the theme, and messages that wait for the next page."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_POST

from portal.views.http import read_target

THEMES = ("light", "auto", "dark")
ATTRIBUTES: dict[str, Any] = {
    "max_age": 365 * 24 * 60 * 60,
    "httponly": True,
    "samesite": "Lax",
    "secure": settings.SESSION_COOKIE_SECURE,
}
_MOST_NAMES = 5
_SALT = "browser"


class MessageStorage(CookieStorage):
    cookie_name = settings.MESSAGE_COOKIE


@login_not_required
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    # Not by `redirect`, which would look for a page of that name first.
    response = HttpResponseRedirect(read_target(request) or "/")
    if request.POST.get("theme") in THEMES:
        response.set_cookie(settings.THEME_COOKIE, request.POST["theme"], **ATTRIBUTES)
    return response


def find_browser(request: HttpRequest, *, name: str) -> str:
    """The browser's own id where this name has signed in there before; empty otherwise."""
    browser, names = _read(request)
    return browser if _mark(name) in names else ""


def is_known(request: HttpRequest) -> bool:
    """Whether somebody has signed in in this browser before."""
    return bool(_read(request)[0])


def remember_name(request: HttpRequest, response: HttpResponse, *, name: str) -> None:
    browser, names = _read(request)
    kept = [_mark(name), *(other for other in names if other != _mark(name))][:_MOST_NAMES]
    response.set_signed_cookie(
        settings.BROWSER_COOKIE, ".".join([browser or secrets.token_hex(8), *kept]), salt=_SALT, **ATTRIBUTES
    )


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    value = request.get_signed_cookie(settings.BROWSER_COOKIE, default="", salt=_SALT, max_age=ATTRIBUTES["max_age"])
    browser, *names = (value or "").split(".")
    return browser, names


def _mark(name: str) -> str:
    return salted_hmac("browser name", name, algorithm="sha256").hexdigest()[:16]
