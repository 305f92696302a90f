"""Forms: they check what a person typed, and do nothing else."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import check_password
from django.core.validators import RegexValidator
from django.forms.renderers import TemplatesSetting
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import models, passwords


class PortalRenderer(TemplatesSetting):
    """Renders every form with templates/forms/."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"


NOT_IN_LIST = _("This is not in the list. Choose one that is.")
_LENGTHS = {
    "max_length": _("This has %(show_value)d characters, and %(limit_value)d are kept at most. Shorten it."),
    "null_characters_not_allowed": _("This has a character that cannot be kept. Type it anew."),
}


class WholeText(forms.CharField):
    """A text that is refused where it is too long. A browser that knows the limit would cut it without a word."""

    def __init__(self, *, error_messages: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(error_messages=_LENGTHS | (error_messages or {}), **kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}


class TypeCards(forms.RadioSelect):
    """The types that are offered, as cards with what the provider says of them."""

    template_name = "forms/widgets/type_cards.html"
    option_template_name = "forms/widgets/type_card.html"


class RequestForm(forms.Form):
    """Asks for a workstation."""

    type = forms.ChoiceField(
        label=_("Workstation type"),
        widget=TypeCards,
        error_messages={
            "required": _("Choose a workstation type."),
            "invalid_choice": _("The provider does not offer this type. Choose one of those that are shown here."),
        },
    )
    workspace_id = WholeText(
        label=_("Workspace (optional)"),
        required=False,
        help_text=_(
            "Files stay in the workspace when the workstation ends. Leave this empty for a new one, choose one "
            "of yours, or type a UID."
        ),
        validators=[
            RegexValidator(r"\A[0-9A-Za-z_-]{1,64}\Z", _("A UID has 1 to 64 letters, digits, hyphens or underscores."))
        ],
        widget=forms.TextInput(
            attrs={"list": "your-workspaces", "autocomplete": "off", "spellcheck": "false", "class": "mono"}
        ),
    )
    note = WholeText(
        label=_("Note (optional)"),
        required=False,
        max_length=500,
        help_text=_("For you and your team, up to 500 characters. The provider does not see it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    submission = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages={
            "required": _("This form had lost its number. It has a new one now: please send it again."),
            "invalid": _("This form's number was damaged. It has a new one now: please send it again."),
        },
    )

    def __init__(self, *args: Any, types: Sequence[models.WorkstationType], **kwargs: Any) -> None:
        """`types` are those that are offered. Each is its own label, so that its card can tell more than its name."""
        super().__init__(*args, **kwargs)
        self.fields["type"].choices = [(one.name, one) for one in types]  # type: ignore[attr-defined]
        if len(types) == 1:
            self.initial["type"] = types[0].name


class UsageForm(forms.Form):
    """Chooses a period: the last days up to today, or from one day to another. None is the last 30 days."""

    PERIODS = (7, 30, 90, 365)
    DEFAULT = 30
    LONGEST = 731  # days: two years

    days = forms.ChoiceField(
        required=False,
        choices=[(str(days), days) for days in PERIODS],
        widget=forms.HiddenInput,
        error_messages={"invalid_choice": _("Choose the last 7, 30, 90 or 365 days, or name two days.")},
    )
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    @property
    def period(self) -> tuple[date, date]:
        """The first and the last day; of the default period where what was chosen cannot be read."""
        values = self.cleaned_data if self.is_valid() else {}
        until = values.get("until") or self.today
        return values.get("since") or until - timedelta(days=self.chosen_days - 1), until

    @property
    def chosen_days(self) -> int:
        """How many days up to today; 0 where two days were named."""
        if not self.is_valid():
            return self.DEFAULT
        return 0 if self.cleaned_data["since"] else int(self.cleaned_data["days"] or self.DEFAULT)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if "since" in self.errors or "until" in self.errors:
            return cleaned
        if until and not since:
            self.add_error("since", _("Say from which day on."))
        elif until and until > self.today:
            self.add_error("until", _("This day has not come yet."))
        elif since and since > self.today:
            self.add_error("since", _("This day has not come yet."))
        elif since and until and until < since:
            self.add_error("until", _("The last day lies before the first."))
        elif since and ((until or self.today) - since).days >= self.LONGEST:
            self.add_error("since", _("A period has two years at most."))
        return cleaned


class ReasonForm(forms.Form):
    """Why an operator does something for somebody else."""

    reason = WholeText(
        label=_("Reason"),
        max_length=500,
        help_text=_("Why, or what you found out, for the audit log, up to 500 characters. It cannot be changed later."),
        error_messages={"required": _("Say why: the reason is kept in the audit log.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class DecisionForm(ReasonForm):
    """Decides about a request whose outcome is unknown, where the portal cannot."""

    decision = forms.ChoiceField(
        choices=[("adopt", _("Adopt")), ("not-created", _("Not created")), ("give-up", _("Give up"))],
        error_messages={"required": _("Choose what became of it."), "invalid_choice": _("Choose what became of it.")},
    )
    workstation = WholeText(
        label=_("Workstation"), required=False, max_length=200, widget=forms.TextInput(attrs={"class": "mono"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("decision") == "adopt" and not cleaned.get("workstation"):
            self.add_error("workstation", _("Name the workstation that was made for it."))
        return cleaned


def _make_password_field(label: Any, *, required: Any, help_text: Any = "", autocomplete: str = "new-password") -> Any:
    return forms.CharField(
        label=label,
        strip=False,
        help_text=help_text,
        error_messages=_LENGTHS | {"required": required},
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )


class SignInForm(auth_forms.AuthenticationForm):
    """Name and password."""

    username = auth_forms.UsernameField(
        label=_("Username"),
        error_messages=_LENGTHS | {"required": _("Type your username.")},
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    password = _make_password_field(_("Password"), required=_("Type your password."), autocomplete="current-password")
    # Whether it is the name or the password, or the account is locked, is not told to somebody who guesses.
    error_messages = {
        "invalid_login": _(
            "This username and this password do not belong together. Upper and lower case matter in both. Try again, "
            "or ask an administrator for a new password."
        ),
        "inactive": _("This account is locked. Ask an administrator of the portal."),
    }


class ConfirmForm(forms.Form):
    """Asks who is signed in for the password again."""

    password = _make_password_field(_("Password"), required=_("Type your password."), autocomplete="current-password")

    def __init__(self, *args: Any, person: models.User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person = person

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        # Not the person's own method: that may store the password hashed anew, which no event would tell.
        if not check_password(password, self._person.password):
            raise forms.ValidationError(_("This is not your password. Upper and lower case matter. Try again."))
        return password


def _list_zone_choices() -> list[tuple[str, Any]]:
    """The portal's own zone, and all others by continent."""
    site = _("As the portal: %(zone)s") % {"zone": timezone.get_default_timezone_name()}
    regions = groupby(models.list_time_zones(), key=lambda name: name.partition("/")[0])
    return [("", site), *((region, [(name, name.replace("_", " ")) for name in names]) for region, names in regions)]


class AccountForm(forms.Form):
    """What people set for themselves."""

    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        choices=_list_zone_choices,
        help_text=_("Times here are shown in this zone, to you alone."),
        error_messages={"invalid_choice": NOT_IN_LIST},
    )


class PasswordForm(auth_forms.PasswordChangeForm):
    """Changes one's own password."""

    old_password = _make_password_field(
        _("Present password"), required=_("Type the password that you have now."), autocomplete="current-password"
    )
    new_password1 = _make_password_field(
        _("New password"), required=_("Type the new password."), help_text=passwords.HELP
    )
    new_password2 = _make_password_field(_("New password, once more"), required=_("Type the new password once more."))
    error_messages = {
        "password_incorrect": _("This is not your present password. Type the one with which you signed in."),
        "password_mismatch": _("The two passwords differ. Type the new one twice."),
    }


class SetupForm(forms.Form):
    """Makes the first administrator."""

    username = forms.CharField(
        label=_("Username"),
        max_length=150,
        validators=[models.User.username_validator],
        error_messages=_LENGTHS
        | {
            "required": _("Choose a username."),
            "invalid": _("A username has letters, digits and @ . + - _ only, without spaces."),
        },
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = _make_password_field(_("Password"), required=_("Choose a password."), help_text=passwords.HELP)
    password_again = _make_password_field(_("Password, once more"), required=_("Type the password once more."))

    def clean_username(self) -> str:
        username: str = models.User.normalize_username(self.cleaned_data["username"])
        if models.User.objects.filter(username=username).exists():
            raise forms.ValidationError(_("Somebody has this name already."))
        return username

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password, again = cleaned.get("password"), cleaned.get("password_again")
        if password and again and password != again:
            self.add_error("password_again", _("The two passwords differ."))
        if password:
            try:
                password_validation.validate_password(password, models.User(username=cleaned.get("username", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned
