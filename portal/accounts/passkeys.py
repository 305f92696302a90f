"""Passkeys: a second factor, and by themselves a whole sign-in."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.views import AddWebAuthnView, LoginWebAuthnView, RemoveWebAuthnView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from portal.accounts import factors, forms
from portal.models.event import Verb

_CHALLENGE_LASTS = 300  # seconds


class AddPasskey(factors.Recorded, AddWebAuthnView):
    template_name = "accounts/add_passkey.html"
    form_class = forms.AddPasskeyForm
    verb = Verb.ADD_FACTOR
    factor = Authenticator.Type.WEBAUTHN
    said = _("The passkey is added. You can sign in with it.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        options = dict(context["js_data"]["creation_options"]["publicKey"])
        # It is found without a name, and its owner shows that it is them: so it can be the whole sign-in.
        options["authenticatorSelection"] = {"residentKey": "required", "userVerification": "required"}
        return context | {"options": options}


class RemovePasskey(factors.Recorded, RemoveWebAuthnView):
    template_name = "accounts/remove_passkey.html"
    verb = Verb.REMOVE_FACTOR
    factor = Authenticator.Type.WEBAUTHN
    said = _("The passkey is removed from the portal. Your device may still list it.")


class PasskeySignIn(LoginWebAuthnView):
    """Answers a script with a challenge, and signs in whoever has the key for it."""

    form_class = forms.PasskeyForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        request.session.set_expiry(_CHALLENGE_LASTS)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs) if settings.PORTAL_PASSWORD_SIGN_IN else redirect("account_login")

    def form_invalid(self, form: Any) -> Any:
        messages.warning(self.request, _("This passkey is not known here. Sign in with your password."))
        return redirect("account_login")
