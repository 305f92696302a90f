"""Passkeys: a second factor, and by themselves a whole sign-in."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from allauth.mfa.webauthn.views import AddWebAuthnView, LoginWebAuthnView, RemoveWebAuthnView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from portal.accounts import factors, forms
from portal.models.event import Verb
from portal.views import cookies


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
        response = super().get(request, *args, **kwargs)
        # Kept by the browser, not in a session: strangers would make a row each.
        if state := request.session.pop(STATE_SESSION_KEY, None):
            attributes = cookies.ATTRIBUTES | {"max_age": forms.CHALLENGE_LASTS}
            response.set_signed_cookie(settings.PASSKEY_COOKIE, state["challenge"], **attributes)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not settings.PORTAL_PASSWORD_SIGN_IN:
            return redirect("account_login")
        challenge = request.get_signed_cookie(settings.PASSKEY_COOKIE, default="", max_age=forms.CHALLENGE_LASTS)
        request.session[STATE_SESSION_KEY] = challenge and {"challenge": challenge, "user_verification": "required"}
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> Any:
        self.request.session.pop(STATE_SESSION_KEY, None)
        messages.warning(self.request, _("This passkey is not known here. Sign in with your password."))
        return redirect("account_login")
