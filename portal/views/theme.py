"""Light, dark, or as the system says: kept in a cookie."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from portal.views.context import THEMES

_A_YEAR = 365 * 24 * 60 * 60


@login_not_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    if not (target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})):
        target = "/"
    # Not by `redirect`, which would look for a page of that name first.
    response = HttpResponseRedirect(target)
    if request.POST.get("theme") in THEMES:
        response.set_cookie(
            settings.THEME_COOKIE,
            request.POST["theme"],
            max_age=_A_YEAR,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response
