"""What browsers may do on the pages that hold a connection into a workstation, and on no other."""

from django.conf import settings
from django.http import HttpResponse
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override

from portal import models
from portal.services.connections import hosts
from portal.views.http import SignedInRequest


def allow_connection(request: SignedInRequest, response: HttpResponse, *, kind: models.Connection.Kind) -> HttpResponse:
    """The response, from whose page the browser may reach a workstation, and may say nowhere where it came from."""
    policy: dict[str, list[str]] = {name: list(sources) for name, sources in settings.SECURE_CSP.items()}
    policy["connect-src"] += hosts.list_sources()
    if kind == models.Connection.Kind.DESKTOP:
        policy["img-src"] = [CSP.SELF, "data:"]
    elif kind == models.Connection.Kind.TERMINAL:
        # xterm.js writes its colours and sizes into elements of its own.
        policy |= {"style-src": [CSP.SELF, CSP.NONCE], "style-src-attr": [CSP.UNSAFE_INLINE]}
    if kind != models.Connection.Kind.LOG:
        response.headers["Permissions-Policy"] = "clipboard-read=(self)"
    response.headers["Referrer-Policy"] = "no-referrer"
    return csp_override(policy)(lambda _request: response)(request)
