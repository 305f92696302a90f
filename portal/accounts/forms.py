"""Forms of signing in, of setting up the portal, and of what people set for themselves."""

import struct
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from allauth.account.forms import LoginForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm, LoginWebAuthnForm
from allauth.mfa.webauthn.internal.auth import parse_authentication_response, parse_registration_response
from django import forms
from django.conf import settings
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.hashers import check_password
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.accounts import passwords
from portal.forms import UsernameForm
from portal.forms.fields import LENGTHS, NOT_IN_LIST, WholeText
from portal.services.tokens import tokens

CHALLENGE_LASTS = 300  # seconds in which a passkey answers
_NO_CREDENTIAL = (LookupError, AttributeError, ValueError, struct.error)  # what the library raises of other JSON


def _make_password_field(label: Any, *, required: Any, help_text: Any = "", autocomplete: str = "new-password") -> Any:
    return forms.CharField(
        label=label,
        strip=False,
        help_text=help_text,
        error_messages=LENGTHS | {"required": required},
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )


class SignInForm(LoginForm):
    """allauth's, whose field for the name is called `username` in the page."""

    password = _make_password_field(_("Password"), required=_("Type your password."), autocomplete="current-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = auth_forms.UsernameField(
            label=_("Username"),
            error_messages={"required": _("Type your username.")},
            widget=forms.TextInput(attrs={"autofocus": True}),
        )

    def add_prefix(self, field_name: str) -> str:
        return super().add_prefix("username" if field_name == "login" else field_name)


def _make_code_field(help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=_("Code"),
        max_length=20,
        help_text=help_text,
        error_messages=LENGTHS | {"required": _("Type the code.")},
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class CodeForm(AuthenticateForm):
    code = _make_code_field(_("6 digits that your authenticator app shows now, or one of your recovery codes."))


class AddAppForm(ActivateTOTPForm):
    code = _make_code_field(_("6 digits that the app shows for this portal now."))


class ConfirmForm(forms.Form):
    password = _make_password_field(_("Password"), required=_("Type your password."), autocomplete="current-password")

    def __init__(self, *args: Any, person: models.User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person = person

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        # Not the person's own method: that may store the password hashed anew, which no event would have.
        if not check_password(password, self._person.password):
            raise forms.ValidationError(_("This is not your password. Upper and lower case matter. Try again."))
        return password


class PasskeyFactorForm(AuthenticateWebAuthnForm):
    def clean_credential(self) -> Any:
        credential = self.cleaned_data["credential"]
        try:
            passkey = super().clean_credential()
        except _NO_CREDENTIAL as error:
            raise forms.ValidationError("") from error
        said = parse_authentication_response(credential).response
        count = said.authenticator_data.counter
        last = passkey.data.get("counter", passkey.wrap().authenticator_data.counter)
        is_copy = count <= last and count + last  # one that does not count always says 0
        name = f"passkey {said.client_data.challenge.hex()}"
        if not _is_of_portal(said) or is_copy or not cache.add(name, True, CHALLENGE_LASTS):
            raise get_adapter().validation_error("incorrect_code")
        passkey.data["counter"] = count
        passkey.save(update_fields=["data"])
        return passkey


def _is_of_portal(said: Any) -> bool:
    """Whether a page of the portal asked: the library takes pages of hosts below its own, and of other ports, too."""
    origin = said.client_data.origin
    return urlsplit(origin).netloc == context.request.get_host() or origin in settings.CSRF_TRUSTED_ORIGINS


class PasskeyForm(PasskeyFactorForm, LoginWebAuthnForm):
    """Of who is not known yet."""


class AddPasskeyForm(AddWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=60, required=False, help_text=_("To tell it from others."))
    passwordless = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        self.cleaned_data["passwordless"] = True  # the device has to make sure that it is its owner
        try:
            cleaned = dict(super().clean())
        except _NO_CREDENTIAL as error:
            raise get_adapter().validation_error("incorrect_code") from error
        if "credential" in cleaned and not _is_of_portal(parse_registration_response(cleaned["credential"]).response):
            raise get_adapter().validation_error("incorrect_code")
        return cleaned


def _list_zone_choices() -> list[tuple[str, Any]]:
    site = _("As the portal: %(zone)s") % {"zone": timezone.get_default_timezone_name()}
    regions = groupby(models.list_time_zones(), key=lambda name: name.partition("/")[0])
    return [("", site), *((region, [(name, name.replace("_", " ")) for name in names]) for region, names in regions)]


class AccountForm(forms.Form):
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        choices=_list_zone_choices,
        help_text=_("Times here are shown in this zone, to you alone."),
        error_messages={"invalid_choice": NOT_IN_LIST},
    )


def _add_box(form: forms.Form, person: models.User | None) -> None:
    """Whether the person's programs end with the former password: tokens of `wsp login` do anyway."""
    if person and person.pk and tokens.list_tokens(person=person):
        words = _("End all tokens of programs too, not only those that wsp login got")
        form.fields["all_tokens"] = forms.BooleanField(label=words, required=False, initial=True)


class PasswordForm(auth_forms.PasswordChangeForm):
    old_password = _make_password_field(
        _("Current password"), required=_("Type your current password."), autocomplete="current-password"
    )
    new_password1 = _make_password_field(
        _("New password"), required=_("Type the new password."), help_text=passwords.HELP
    )
    new_password2 = _make_password_field(_("Repeat new password"), required=_("Type the new password again."))
    error_messages = {
        "password_incorrect": _("This is not your current password. Type the one that you signed in with."),
        "password_mismatch": _("The two passwords differ. Type the new one twice."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _add_box(self, self.user)

    def clean_old_password(self) -> str:
        password = str(self.cleaned_data["old_password"])
        # As above: Django's own would ask the person.
        if not check_password(password, self.user.password):
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class NewPasswordForm(auth_forms.SetPasswordMixin, forms.Form):  # type: ignore[type-arg]
    password = _make_password_field(_("Password"), required=_("Choose a password."), help_text=passwords.HELP)
    password_again = _make_password_field(_("Repeat password"), required=_("Type the password again."))
    error_messages = {"password_mismatch": _("The two passwords differ.")}

    def __init__(self, *args: Any, person: models.User | None = None, **kwargs: Any) -> None:
        """`person`: whose it will be; without one, of whom the form names."""
        super().__init__(*args, **kwargs)
        self._person = person
        _add_box(self, person)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.validate_passwords("password", "password_again")
        person = self._person or models.User(username=cleaned.get("username", ""))
        self.validate_password_for_user(person, "password")
        return cleaned


class ScopesForm(forms.Form):
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        help_text=_("Never more than its owner may."),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose what it may do."), "invalid_choice": NOT_IN_LIST},
    )

    def __init__(self, *args: Any, scopes: Sequence[models.Token.Scope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = [(scope.value, scope.label) for scope in scopes]  # type: ignore[attr-defined]


class TokenForm(ScopesForm):
    field_order = ("name",)
    name = WholeText(
        label=_("Name"),
        max_length=60,
        help_text=_("What uses it, such as the name of a program."),
        error_messages={"required": _("Type a name.")},
    )
    days = forms.IntegerField(
        label=_("Ends after (days)"),
        required=False,
        min_value=1,
        max_value=3650,
        initial=90,
        help_text=_("Up to 3650. Empty: it works until somebody ends it."),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), _("Enter a whole number from 1 to 3650.")),
    )
    addresses = forms.CharField(
        label=_("Only from"),
        required=False,
        max_length=500,
        help_text=_("Addresses and networks, such as 10.0.0.2, 10.1.0.0/16. Empty: it works from anywhere."),
        error_messages=LENGTHS,
    )

    def clean_addresses(self) -> str:
        try:
            return tokens.read_networks(text=self.cleaned_data["addresses"])
        except tokens.NoNetworks as error:
            raise forms.ValidationError(str(error)) from None


class ForgottenForm(forms.Form):
    name = forms.CharField(
        label=_("Username or e-mail address"),
        max_length=254,
        error_messages=LENGTHS | {"required": _("Type your username or your e-mail address.")},
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )


class SetupForm(NewPasswordForm, UsernameForm):
    """Makes the first administrator."""
