"""What allauth asks of the portal: who may sign in, how sessions begin, what is encrypted, and in which words."""

from typing import Any

import qrcode
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn.internal.flows import did_use_passwordless_login
from cryptography.fernet import InvalidToken
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from qrcode.image.svg import SvgPathFillImage

from portal import models
from portal.accounts import factors, guessing
from portal.accounts.cache import read_cipher
from portal.services.limits import throttle
from portal.services.people import sessions
from portal.views import cookies
from portal.web import client_address


class AccountAdapter(DefaultAccountAdapter):
    # Whether it is the name or the password, or the account is locked, is not said to somebody who guesses.
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": gettext_lazy(
            "The username or password is incorrect. Upper and lower case matter in both. Try again, or ask an "
            "administrator for a link to choose a new password."
        ),
        "incorrect_code": gettext_lazy("This code is incorrect, was used before, or is older than ten minutes."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        return redirect("account_login")

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: views say what they did."""

    def get_login_stages(self) -> list[str]:
        return ["portal.accounts.adapters.SecondFactorStage"]

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Raises TooManyFailures, or TooManyHashings before anything is done."""
        with guessing.counted_try(request, name=credentials["username"]):
            person = super().authenticate(request, **credentials)
        if isinstance(person, models.User):
            sessions.record_rehash(person=person)
        return person

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        throttle.record_failed_sign_in(name=credentials["username"])

    def login(self, request: HttpRequest, user: Any) -> None:
        """Begin the session, after the last factor."""
        if user.is_service or not user.is_active:  # any more
            raise ImmediateHttpResponse(redirect("account_login"))
        used = [record["type"] for record in get_authentication_records(request, user) if "type" in record]
        issuer = _find_issuer(request, user)
        with transaction.atomic():
            if not (issuer or did_use_passwordless_login(request, user)):  # without a try that was counted
                guessing.forget_failures(request, name=user.get_username())
            sessions.record_sign_in(person=user, factors=used, issuer=issuer)
            super().login(request, user)
            sessions.begin_session(
                session=request.session,
                address=client_address.find_address(request),
                browser=request.headers.get("User-Agent", ""),
            )
            request.session["issuer"] = issuer
            if issuer:  # it may know the browser, and ask for nothing
                request.session["proved"] = 0
            factors.require_factor(session=request.session, person=user)

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        cookies.remember_name(request, response, name=user.get_username())
        return response

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        return not sessions.has_proved(session=context.request.session)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        return [{"id": "confirm", "url": reverse("confirm")}]


class SecondFactorStage(AuthenticateStage):
    """After a password alone: an issuer's word stands for both factors."""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        self.state["password"] = self.login.user.get_session_auth_hash()
        return (None, True) if _find_issuer(self.request, self.login.user) else super().handle()

    def exit(self) -> Any:
        """Back to the beginning where the password is not the one any more that was typed."""
        is_former = self.state.get("password") != self.login.user.get_session_auth_hash()
        return self.abort() if is_former else super().exit()

    def is_resumable(self, request: HttpRequest) -> bool:
        """Whether the factor is still there: an administrator may have reset it."""
        return bool(self._should_handle(request))


def _find_issuer(request: HttpRequest, person: Any) -> str:
    """The name of the issuer that the person came by; empty without one."""
    return next((record.get("provider", "") for record in get_authentication_records(request, person)), "")


class FactorAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy(
            "This code is incorrect, too old, or was used before. Type the one that your app shows now."
        ),
        "key_changed": gettext_lazy(
            "The portal can't check codes of this account any more, because its SECRET_KEY was changed. Ask an "
            "administrator to reset your second factor."
        ),
    }

    def get_totp_issuer(self) -> str:
        return _("Workstation portal")

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        return _("Passkey %(number)d") % {"number": Authenticator.objects.filter(user=user, type=type).count() + 1}

    def build_totp_svg(self, url: str) -> str:
        return str(qrcode.make(url, image_factory=SvgPathFillImage).to_string(encoding="unicode"))

    def encrypt(self, text: str) -> str:
        return read_cipher("second factors").encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return read_cipher("second factors").decrypt(encrypted_text).decode()
        except InvalidToken:
            raise self.validation_error("key_changed") from None
