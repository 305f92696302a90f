"""Sign-in by an issuer: OpenID Connect's code flow, with PKCE, state, nonce and tokens whose signature is verified."""

import logging
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from portal import environment, models
from portal.accounts import identities
from portal.services.limits import throttle
from portal.services.people import issuers, sessions
from portal.views import cookies, people
from portal.views.http import SignedInRequest, make_address, read_target

logger = logging.getLogger(__name__)

type Claims = Mapping[str, Any]

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_LEEWAY = 60  # seconds by which clocks may differ
_SUBJECT = re.compile("[ -~]{1,191}")
_LONGEST_CAUSE = 300  # characters
_STATE_LASTS = 600  # seconds; a session of nobody's ends then
# Threads of a web process that may wait for issuers: others have their pages meanwhile. Strangers' are for each issuer:
# one that hangs keeps nobody from another. Nor do strangers keep out anybody whose browser somebody has signed in with:
# those have places together, under no name.
_PLACES = defaultdict[str, threading.BoundedSemaphore](lambda: threading.BoundedSemaphore(4))


_AWAY = gettext_lazy(
    "It did not answer as it should. Nothing is wrong with your account: try again later. Administrators find the "
    "cause in the portal's log."
)


class IssuerAway(Exception):
    """The issuer does not answer, or with what is no answer."""


class NotVerified(Exception):
    """What the issuer answered proves nothing; the message is fit for the person."""


class IssuerAdapter(DefaultSocialAccountAdapter):
    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> "Provider":
        """From the settings alone: whoever can write in the database must not add one."""
        if (issuer := settings.PORTAL_OIDC.get(provider)) is None:
            raise Http404
        app = SocialApp(provider="openid_connect", provider_id=issuer.name, name=issuer.label)
        app.client_id, app.secret = issuer.client_id, issuer.client_secret
        app.settings = {"server_url": issuer.url, "oauth_pkce_enabled": True}
        return Provider(request, app=app)

    def get_requests_session(self) -> Any:
        """One that follows no redirect: it may lead to plain http, or on for ever."""
        session = super().get_requests_session()
        session.max_redirects = 0
        issuers.bound_session(session=session)
        return session


class CodeAdapter(OpenIDConnectOAuth2Adapter):
    """allauth's, which checks neither nonce nor signature."""

    @property
    def openid_config(self) -> Claims:
        issuer = settings.PORTAL_OIDC[self.provider_id]
        config = _read_document(self.get_provider().server_url)
        if str(config.get("issuer")).rstrip("/") != issuer.url:
            raise IssuerAway
        return config

    def read_claims(self, *, code: str, state: Mapping[str, Any]) -> Claims:
        """What the issuer says of who has signed in there. Raises NotVerified."""
        client = self.get_client(self.request, self.get_provider().app)
        response = client.get_access_token(code, pkce_code_verifier=state["pkce_code_verifier"])
        claims = self._verify(str(response.get("id_token")), nonce=state["nonce"])
        if not self.openid_config.get("userinfo_endpoint"):
            return claims
        told = self._fetch_user_info(response["access_token"])
        if told.get("sub") != claims["sub"]:
            raise NotVerified(_("It spoke of two different people."))
        source = claims if "email" in claims else told  # which says whether its own address is verified
        email = {name: source.get(name) for name in ("email", "email_verified")}
        return {**told, **claims, **email}

    def _verify(self, token: str, *, nonce: str) -> Claims:
        client_id = settings.PORTAL_OIDC[self.provider_id].client_id
        try:
            claims: Claims = jwt.decode(
                token,
                self._find_key(jwt.get_unverified_header(token).get("kid")),
                algorithms=_ALGORITHMS,
                audience=client_id,
                issuer=self.openid_config["issuer"],
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise NotVerified(_("Its clock and the portal's differ by more than a minute.")) from None
        except jwt.PyJWTError:
            raise NotVerified(_("Its token is not signed by it, or not meant for this portal.")) from None
        # A token for several must say which of them asked.
        asked = claims.get("azp", client_id if claims["aud"] in (client_id, [client_id]) else None)
        if claims.get("nonce") != nonce or asked != client_id:
            raise NotVerified(_("Its token belongs to another sign-in."))
        if not _SUBJECT.fullmatch(str(claims["sub"])):
            raise NotVerified(_("Its token doesn't say who you are."))
        return claims

    def _find_key(self, number: str | None) -> jwt.PyJWK:
        """The issuer's key of that id: read anew where it has none, because issuers change their keys."""
        for is_new in (False, True):
            keys = jwt.PyJWKSet.from_dict(dict(_read_document(self.openid_config["jwks_uri"], is_new=is_new))).keys
            fitting = [key for key in keys if key.public_key_use != "enc" and number in (None, key.key_id)]
            if fitting:
                return fitting[0]
        raise jwt.InvalidKeyError


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = CodeAdapter


def _read_document(address: str, *, is_new: bool = False) -> Claims:
    """What the issuer publishes, kept for an hour. Tokens and secrets travel by TLS alone, but on this machine."""
    kept: Claims | None = None if is_new else caches["issuers"].get(address)
    if kept is None:
        with get_adapter().get_requests_session() as session:
            response = session.get(address)
        response.raise_for_status()
        kept = response.json()
        if not is_safe(kept, address=address):
            raise IssuerAway
        caches["issuers"].set(address, kept)
    return kept


def is_safe(document: Claims, *, address: str) -> bool:
    """Whether what an issuer's document names is reached by TLS; only one of this machine may name others of it."""
    is_local = environment.is_local_url(address)
    urls = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    return all(is_local if environment.is_local_url(url) else urlsplit(url).scheme == "https" for url in urls)


@contextmanager
def _asking(request: HttpRequest, name: str) -> Iterator[None]:
    """Raises IssuerAway for all that may go wrong while the issuer is asked."""
    places = _PLACES["" if cookies.is_known(request) else name]
    if not places.acquire(blocking=False):
        raise IssuerAway
    try:
        yield
    except (OSError, OAuth2Error, LookupError, TypeError, AttributeError, ValueError) as error:
        logger.warning("Identity provider at %s: %s", request.path, repr(error)[:_LONGEST_CAUSE])
        raise IssuerAway from error
    finally:
        places.release()


@login_not_required
@require_POST
def start(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead the browser to the issuer; who is signed in proves there that it is them.

    By a page, not by a redirect: browsers hold each address that follows a form against `form-action`, and issuers lead
    on to others.
    """
    provider = get_adapter().get_provider(request, provider_id)
    nonce, asked = secrets.token_urlsafe(), {}
    if request.user.is_authenticated:
        asked = {"prompt": "login", "max_age": "0"}
    else:
        request.session.set_expiry(_STATE_LASTS)
        if "again" in request.POST:
            asked = {"prompt": "login"}
    try:
        with _asking(request, provider_id):
            response = provider.redirect(
                request,
                process="login",
                next_url=read_target(request),
                auth_params={"nonce": nonce, **asked},
                nonce=nonce,
                person=request.user.pk,
                began=time.time(),
            )
    except IssuerAway:
        return _say(request, provider, _AWAY, 503)
    return lead_to(request, name=provider_id, address=response.url)


def lead_to(request: HttpRequest, *, name: str, address: str) -> HttpResponse:
    return render(request, "accounts/leaving.html", {"address": address, "issuer": settings.PORTAL_OIDC[name]})


@login_not_required
@require_GET
def finish(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the issuer leads the browser back to."""
    provider = get_adapter().get_provider(request, provider_id)
    try:
        state = provider.unstash_redirect_state(request, request.GET.get("state", ""))
        with _asking(request, provider_id):
            claims = provider.get_oauth2_adapter(request).read_claims(code=request.GET["code"], state=state)
        if state["person"]:
            return _prove(request, provider, claims, state)
        person = identities.admit(issuer=settings.PORTAL_OIDC[provider_id], claims=claims)
    except PermissionDenied:
        return _say(request, provider, _("This was begun in another browser, or too long ago, or used already."), 400)
    except (NotVerified, identities.NotAdmitted) as error:
        if isinstance(error, identities.NotAdmitted):
            logout(request)
        throttle.record_failed_sign_in(name="", factor=provider_id)
        logger.warning("Identity provider %s: %s", provider_id, error)
        return _say(request, provider, str(error), 403)
    except IssuerAway:
        was_asked = "code" in request.GET
        said = _AWAY if was_asked else _("It was cancelled there, or not allowed.")
        return _say(request, provider, said, 503 if was_asked else 400)
    logout(request)  # of whoever used this browser before
    record_authentication(request, person, method="socialaccount", provider=provider_id)
    response: HttpResponse = perform_login(request, person, redirect_url=state.get("next"))
    return response


def _prove(request: HttpRequest, provider: Provider, claims: Claims, state: Mapping[str, Any]) -> HttpResponse:
    """Raises NotVerified unless whoever is signed in has just signed in there, too; NotAdmitted as a sign-in does."""
    if not isinstance(request.user, models.User) or request.user.pk != state["person"]:
        raise PermissionDenied
    if not identities.is_of(person=request.user, issuer=provider.sub_id, subject=claims["sub"]):
        raise NotVerified(_("Somebody else signed in there than is signed in here."))
    at = claims.get("auth_time")  # NaN is between nothing
    if not (isinstance(at, int | float) and state["began"] - _LEEWAY <= at <= time.time() + _LEEWAY):
        raise NotVerified(_("It did not ask you to sign in again."))
    identities.admit(issuer=settings.PORTAL_OIDC[provider.sub_id], claims=claims)  # with the roles of now
    sessions.note_proof(session=request.session)
    request.session.cycle_key()
    return HttpResponseRedirect(state.get("next") or reverse("account"))


@people.change_person
def unlink(request: SignedInRequest, person: models.User) -> str:
    identities.unlink(person=person, by=request.user)
    return _("%(name)s is unlinked, and signed out everywhere.")


def find_end(request: HttpRequest, *, name: str) -> str:
    """The address where the issuer signs somebody out; empty where it offers none, or does not answer."""
    provider = get_adapter().get_provider(request, name)
    try:
        with _asking(request, name):
            end = provider.get_oauth2_adapter(request).openid_config.get("end_session_endpoint")
    except IssuerAway:
        return ""
    back = make_address(request, reverse("account_login"))
    query = urlencode({"client_id": provider.app.client_id, "post_logout_redirect_uri": back})
    return f"{end}?{query}" if end else ""


def _say(request: HttpRequest, provider: Provider, said: str | Promise, status: int) -> HttpResponse:
    return render(request, "accounts/not_signed_in.html", {"provider": provider, "said": said}, status=status)
