"""Signing in, setting up the portal, and what people set for themselves."""

import unicodedata
from itertools import groupby
from typing import Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import check_password
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import models, passwords
from portal.forms.fields import LENGTHS, NOT_IN_LIST


def _make_password_field(label: Any, *, required: Any, help_text: Any = "", autocomplete: str = "new-password") -> Any:
    return forms.CharField(
        label=label,
        strip=False,
        help_text=help_text,
        error_messages=LENGTHS | {"required": required},
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )


class SignInForm(auth_forms.AuthenticationForm):
    username = auth_forms.UsernameField(
        label=_("Username"),
        error_messages=LENGTHS | {"required": _("Type your username.")},
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    password = _make_password_field(_("Password"), required=_("Type your password."), autocomplete="current-password")
    # Whether it is the name or the password, or the account is locked, is not said to somebody who guesses.
    error_messages = {
        "invalid_login": _(
            "The username or password is incorrect. Upper and lower case matter in both. Try again, or ask an "
            "administrator for a link to choose a new password."
        ),
        "inactive": _("This account is locked. Ask an administrator of the portal."),
    }


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

    def clean_old_password(self) -> str:
        password = str(self.cleaned_data["old_password"])
        # As above: Django's own would ask the person.
        if not check_password(password, self.user.password):
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


# As Unicode's names of letters begin: scripts that are written beside others, and look like none of them.
_MIXED_SCRIPTS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})


class UsernameForm(forms.Form):
    username = forms.CharField(
        label=_("Username"),
        max_length=150,
        validators=[models.User.username_validator],
        error_messages=LENGTHS
        | {
            "required": _("Choose a username."),
            "invalid": _("A username has letters, digits and @ . + - _ only, without spaces."),
        },
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )

    def clean_username(self) -> str:
        username: str = models.User.normalize_username(self.cleaned_data["username"])
        scripts = {unicodedata.name(letter, "?").split("-")[0].split()[0] for letter in username if letter.isalpha()}
        if len(scripts - _MIXED_SCRIPTS) > 1:
            raise forms.ValidationError(_("Use letters of one alphabet: those of another may look the same."))
        if models.User.objects.filter(username=username).exists():
            raise forms.ValidationError(_("Somebody has this name already."))
        return username


class NewPasswordForm(forms.Form):
    password = _make_password_field(_("Password"), required=_("Choose a password."), help_text=passwords.HELP)
    password_again = _make_password_field(_("Repeat password"), required=_("Type the password again."))

    def __init__(self, *args: Any, person: models.User | None = None, **kwargs: Any) -> None:
        """`person`: whose it will be; without one, of whom the form names."""
        super().__init__(*args, **kwargs)
        self._person = person

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password, again = cleaned.get("password"), cleaned.get("password_again")
        if password and again and password != again:
            self.add_error("password_again", _("The two passwords differ."))
        if password:
            person = self._person or models.User(username=cleaned.get("username", ""))
            try:
                password_validation.validate_password(password, person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class SetupForm(NewPasswordForm, UsernameForm):
    """Makes the first administrator."""
