"""`wsp login`: a program shows a code, a person types it in here, and the program gets a token. By the device flow of
allauth's identity provider, of which nothing else can be reached."""

import json
import re
from datetime import timedelta
from typing import Any

from allauth.idp.oidc.forms import ConfirmCodeForm
from allauth.idp.oidc.internal.oauthlib import device_codes
from allauth.idp.oidc.models import Client
from allauth.idp.oidc.views import DeviceCodeView, TokenView
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portal.accounts.forms import ScopesForm
from portal.accounts.tokens import make_base_url
from portal.services.limits import limits, throttle
from portal.services.tokens import tokens
from portal.views import people
from portal.views.http import SignedInRequest
from portal.web import client_address

_DAYS = 90  # until the token ends
CLIENT = {"name": "wsp", "secret": "", "type": Client.Type.PUBLIC, "grant_types": Client.GrantType.DEVICE_CODE}


class AskCode(DeviceCodeView):
    def post(self, request: HttpRequest) -> HttpResponse:
        _check(request)
        try:
            throttle.count_try(subjects=_find_subjects(request))
        except throttle.TooManyFailures as error:
            refusal = {"error": "slow_down", "message": _("Too many codes were asked for from your address.")}
            return JsonResponse(refusal, status=429, headers={"Retry-After": str(error.seconds)})
        Client.objects.get_or_create(pk="wsp", defaults=CLIENT)
        response: HttpResponse = super().post(request)
        if response.status_code == 200:
            told = json.loads(response.content)
            told.pop("verification_uri_complete", None)  # a code in an address is in logs
            response.content = json.dumps(told)
            code, address = told["device_code"], client_address.find_address(request)
            host = "".join(filter(str.isprintable, request.POST.get("host", "")))[:50] or address
            more = {"name": tokens.OF_LOGIN + host, "address": address}
            device_codes.update_device_state(code, _read(code) | more)
        return response


class GiveToken(TokenView):
    """Gives the portal's own token in the place of one of the identity provider's, of which none is ever made."""

    @transaction.atomic
    def post(self, request: HttpRequest) -> HttpResponse:
        _check(request)
        _lock()
        return super().post(request)

    def _create_token_response(self, request: HttpRequest, *, user: Any = None, data: Any = None) -> HttpResponse:
        # Whoever has been signed out since, or has another password, has not approved it.
        if user is None or user.is_service or not request.session.exists(data["session"]):
            raise device_codes.AccessDenied
        if data["hash"] != user.get_session_auth_hash():
            raise device_codes.AccessDenied
        scopes = [scope for scope in tokens.list_scopes(person=user) if scope in data["scopes"]]
        throttle.forget_failures(subjects=_find_subjects(request))
        text = tokens.create_token(
            person=user, by=user, name=data["name"], scopes=scopes, lifetime=timedelta(days=_DAYS)
        )
        return JsonResponse({"access_token": text, "token_type": "Bearer", "base_url": make_base_url(request)})


def _check(request: HttpRequest) -> None:
    """No database may be asked for NUL."""
    code = request.POST.get("device_code", "")
    if request.POST.get("client_id") != "wsp" or not re.fullmatch("[0-9A-Za-z]{,100}", code):
        raise BadRequest  # Django logs a SuspiciousOperation


def _find_subjects(request: HttpRequest) -> throttle.Subjects:
    """Whoever asks for codes fills a table, and has not signed in."""
    return {limits.PROGRAM: client_address.find_network(request)}


def _read(code: str) -> Any:
    return cache.get(device_codes.cache_device_code_key(code))


def _lock() -> None:
    """One after the other: allauth reads what it knows of a code, and writes it back."""
    Client.objects.select_for_update().filter(pk="wsp").first()


class CodeForm(ConfirmCodeForm):
    def clean_code(self) -> str:
        letters = re.sub("[^A-Z]", "", self.cleaned_data["code"].upper())
        self.cleaned_data["code"] = f"{letters[:4]}-{letters[4:8]}"
        return super().clean_code()


@people.proved
@transaction.atomic
def approve(request: SignedInRequest) -> HttpResponse:
    """Ask for the code, then show who asks for what; the answer to that counts once."""
    if request.method == "POST":
        limits.count_one(kind=limits.CODE, person=request.user)
        _lock()
    form, answer = CodeForm(request.POST or None), request.POST.get("answer")
    asked = _read(form.device_code) if form.is_valid() else None
    scopes = tokens.list_scopes(person=request.user)
    may = ScopesForm(request.POST if answer == "approve" else None, scopes=scopes, initial={"scopes": scopes})
    if not asked or not (may.is_valid() or answer == "deny"):
        return render(request, "accounts/device.html", {"form": may if asked else form, "asked": asked, "days": _DAYS})
    proof = {"session": request.session.session_key, "hash": request.user.get_session_auth_hash()}
    device_codes.update_device_state(form.device_code, asked | proof | {"scopes": request.POST.getlist("scopes")})
    device_codes.confirm_or_deny_device_code(request.user, form.device_code, confirm=answer == "approve")
    approved, denied = _("Approved: “%(name)s” gets its token."), _("Denied: “%(name)s” gets no token.")
    messages.success(request, (approved if answer == "approve" else denied) % asked)
    return redirect("account")
