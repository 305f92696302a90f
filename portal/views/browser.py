"""Which browser it is: a signed cookie holds the names by which somebody has signed in there before."""

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

_A_YEAR = 365 * 24 * 60 * 60
_MOST_NAMES = 5
_SALT = "browser"


def find_browser(request: HttpRequest, *, name: str) -> str:
    """The browser's own id where this name has signed in there before; empty otherwise."""
    browser, names = _read(request)
    return browser if _mark(name) in names else ""


def remember_name(request: HttpRequest, response: HttpResponse, *, name: str) -> None:
    browser, names = _read(request)
    kept = [_mark(name), *(other for other in names if other != _mark(name))][:_MOST_NAMES]
    response.set_signed_cookie(
        settings.BROWSER_COOKIE,
        ".".join([browser or secrets.token_hex(8), *kept]),
        salt=_SALT,
        max_age=_A_YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    value = request.get_signed_cookie(settings.BROWSER_COOKIE, default="", salt=_SALT, max_age=_A_YEAR)
    browser, *names = (value or "").split(".")
    return browser, names


def _mark(name: str) -> str:
    return salted_hmac("browser name", name, algorithm="sha256").hexdigest()[:16]
