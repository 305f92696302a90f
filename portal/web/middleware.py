"""The middleware: what a page takes, who is signed in, whose time zone holds, and where an act came from."""

import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user, logout
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.http.request import split_domain_port
from django.shortcuts import redirect, resolve_url
from django.template import loader
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from portal import models
from portal.services import audit
from portal.services.limits import acts, limits
from portal.services.people import sessions
from portal.web import client_address, sessionstore
from portal.web.logs import hide_token

_UNUSED = """
    accelerometer autoplay browsing-topics camera clipboard-read display-capture encrypted-media gamepad geolocation
    gyroscope hid idle-detection local-fonts magnetometer microphone midi payment picture-in-picture screen-wake-lock
    serial storage-access usb window-management xr-spatial-tracking
"""
_PERMISSIONS = {"clipboard-write": "(self)", "fullscreen": "(self)", **dict.fromkeys(_UNUSED.split(), "()")}
_METHODS = ("GET", "HEAD", "POST")
MOST_BODY = 64 * 1024  # bytes; the longest form has a few thousand
_MACHINE = ("127.0.0.1", "[::1]", "localhost")
FACTOR_MISSING = "second_factor_missing"  # in the session of who must set up a second factor before anything else
_SETTING_UP = ("mfa_activate_totp", "mfa_add_webauthn", "mfa_view_recovery_codes", "confirm", "logout")
_HAS_TOKEN = re.compile("/(?:setup|join)/", re.IGNORECASE)
_ID = re.compile(r"[0-9A-Za-z_.-]{8,64}", re.ASCII)


class _Middleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class BrowserLimitsMiddleware(_Middleware):
    """Names in every response, files too, what browsers must not let the portal's pages do, nor other sites.

    A page that needs one of these names it in its header.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        own = dict(part.split("=") for part in response.headers.get("Permissions-Policy", "").split(", ") if part)
        permissions = {**_PERMISSIONS, **own}
        response.headers["Permissions-Policy"] = ", ".join(f"{name}={value}" for name, value in permissions.items())
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if _HAS_TOKEN.search(request.path):
            # What such a page loads does not get its path: the token would be logged.
            response.headers["Referrer-Policy"] = "strict-origin"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response


class LocalHostMiddleware(_Middleware):
    """Leads browsers from the address of the machine to the name of a local portal: cookies are sent to every port.

    Only where somebody opens a page. Scripts may not find the name, and are answered where they ask.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        domain, port = split_domain_port(request.headers.get("Host", ""))
        asked = [request.method, *(request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest"))]
        if not settings.LOCAL_HOST or domain not in _MACHINE or asked != ["GET", "navigate", "document"]:
            return self.get_response(request)
        host = f"{settings.LOCAL_HOST}:{port}" if port else settings.LOCAL_HOST
        return redirect(f"{request.scheme}://{host}{request.get_full_path()}")


class NoFilesMiddleware(_Middleware):
    """Refuses what no page of the portal sends, before anything reads it: files, long bodies, and other methods.

    One that comes in chunks does not say how long it is. gunicorn ends the connection on which a body was not read.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.content_type == "multipart/form-data":
            return _refuse(415)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > MOST_BODY or "Transfer-Encoding" in request.headers:
            return _refuse(413)
        if request.method not in _METHODS:
            return HttpResponseNotAllowed(_METHODS)
        return self.get_response(request)


def _refuse(status: int) -> HttpResponse:
    return HttpResponse(loader.render_to_string(f"{status}.html"), status=status)


class PersonMiddleware(AuthenticationMiddleware):
    """Gives a request its person: the person who came with the session, so that nobody asks for them anew."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(partial(_find_person, request))  # type: ignore[assignment]


def _find_person(request: HttpRequest) -> models.User | AnonymousUser:
    """Whoever the session is for by what is signed in it. Whatever is not plain is left to Django."""
    values = {name: request.session.get(name, "") for name in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)}
    person: models.User | None = getattr(request.session, "person", None)  # known only now that it was read
    if (
        person is not None
        and person.is_active
        and values[SESSION_KEY] == str(person.pk)
        and values[BACKEND_SESSION_KEY] in settings.AUTHENTICATION_BACKENDS
        and constant_time_compare(values[HASH_SESSION_KEY], person.get_session_auth_hash())
    ):
        return person
    return get_user(request)


class SignedInMiddleware(LoginRequiredMiddleware):
    """Sends whoever is not signed in to the sign-in page, and whoever must have a second factor and has none to where
    it is set up; a poll of a live part goes there by itself."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        response = super().process_view(request, view_func, args, kwargs)
        if response or not getattr(view_func, "login_required", True) or FACTOR_MISSING not in request.session:
            return response
        is_setting_up = request.resolver_match and request.resolver_match.url_name in _SETTING_UP
        return None if is_setting_up else _lead(request, resolve_url("mfa_activate_totp"))

    def handle_no_permission(  # type: ignore[override]  # a 401 is no redirect
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponse:
        if "HX-Request" not in request.headers:
            return super().handle_no_permission(request, view_func)
        address = urlsplit(request.headers.get("HX-Current-URL", ""))
        page = urlunsplit(("", "", address.path or "/", address.query, ""))
        return _lead(request, redirect_to_login(page, resolve_url(settings.LOGIN_URL)).url)


def _lead(request: HttpRequest, target: str) -> HttpResponse:
    if "HX-Request" in request.headers:
        return HttpResponse(status=401, headers={"HX-Redirect": target})
    return redirect(target)


class SessionLimitMiddleware(_Middleware):
    """Signs out whoever has done nothing for too long. A page that asks for news by itself does nothing."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., object], args: object, kwargs: object
    ) -> None:
        if not getattr(view_func, "login_required", True) or not isinstance(request.user, models.User):
            return
        seen_at = getattr(request.session, "seen_at", None)
        if sessions.is_idle(seen_at=seen_at, person=request.user):
            logout(request)
        elif "HX-Request" not in request.headers:
            key = sessionstore.hash_key(request.session.session_key or "")
            sessions.note_activity(key=key, seen_at=seen_at)


class TimeZoneMiddleware(_Middleware):
    """Shows times in the zone of the person who is signed in, and forgets it with the response: threads serve many."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(None):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., object], args: object, kwargs: object
    ) -> None:
        # A view that needs nobody to be signed in (a probe of the server's health) must not ask the database who it is.
        if getattr(view_func, "login_required", True) and request.user.is_authenticated:
            timezone.activate(request.user.zone)


class PrivatePagesMiddleware(_Middleware):
    """Has caches keep no page: on a shared computer the next person must not find it with the back button."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        add_never_cache_headers(response)
        patch_vary_headers(response, ["HX-Request"])
        return response


class PossiblePathMiddleware(_Middleware):
    """Finds nothing under a path with NUL: no database holds one, and PostgreSQL fails where it is asked for one.

    The innermost of all, so that the page that says so looks like every other.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info:
            raise Http404
        return self.get_response(request)


class OriginMiddleware(_Middleware):
    """Gives the audit log the address of an act, and its HTTP request: its id is in the response."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        number = find_id(request)
        address = client_address.find_address(request)
        with audit.acting_from(origin=audit.Origin(address=address, http_request=number, count=acts.count_act)):
            response = self.get_response(request)
        response.headers["X-Request-ID"] = number
        return response


class RefusalMiddleware(_Middleware):
    """Notes what somebody was refused: a 403, the address of what is not there for them, or what they did too often."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_refused = response.status_code == 403 or (response.status_code == 404 and request.resolver_match)
        if is_refused and isinstance(request.user, models.User):
            act = hide_token(f"{request.method} {request.path}")
            limits.record_refusal(person=request.user, act=act, status=response.status_code)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """429 for one act too many, whatever view it was done by."""
        if not isinstance(exception, limits.Limited):
            return None
        limits.record_limit(limited=exception)
        page = loader.render_to_string("429.html", {"limited": exception}, request)
        return HttpResponse(page, status=429, headers={"Retry-After": str(exception.seconds)})


def find_id(request: HttpRequest) -> str:
    """The id that a trusted proxy gave the HTTP request, so that its log and the audit log agree; else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if client_address.is_trusted(request) and _ID.fullmatch(given) else secrets.token_hex(8)
