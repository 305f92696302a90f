"""Finding people, and adding somebody."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import LENGTHS, WholeText

_ADMINISTRATOR = "administrator"


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


@dataclass(frozen=True, kw_only=True)
class Role:
    label: str | Promise
    what: str | Promise
    icon: str = "user"


# By the names of the portal's own groups.
_ROLES = {
    "Members": Role(label=_("Member"), what=_("Requests workstations. Sees and manages their own.")),
    "Operators": Role(
        label=_("Operator"),
        what=_("As a member. Also sees everything, resumes sending, and resolves what the portal can't."),
        icon="key-round",
    ),
    "Auditors": Role(
        label=_("Auditor"), what=_("Sees everything, and the audit log. Changes nothing."), icon="history"
    ),
}
_ADMINISTERS = Role(label=_("Administrator"), what=_("As an operator. Also manages people."), icon="users")
_ANOTHER = _("A group that an administrator of this portal created.")


class RoleCards(forms.RadioSelect):
    template_name = "forms/widgets/type_cards.html"
    option_template_name = "forms/widgets/role_card.html"


def _list_roles() -> list[tuple[str, Role]]:
    """The portal's own groups come first, as far as they exist."""
    groups = {group.name: group for group in Group.objects.order_by("name")}
    names = sorted(groups, key=lambda name: [*_ROLES, name].index(name))
    roles = [(str(groups[name].pk), _ROLES.get(name, Role(label=name, what=_ANOTHER))) for name in names]
    return [*roles, (_ADMINISTRATOR, _ADMINISTERS)]


def find_role(person: models.User) -> str:
    """What the form calls the person's role; empty where it is none of those that can be chosen."""
    if person.is_superuser:
        return _ADMINISTRATOR
    groups = list(person.groups.all())
    return str(groups[0].pk) if len(groups) == 1 else ""


class DetailsForm(forms.Form):
    name = WholeText(label=_("Name"), required=False, max_length=150, help_text=_("As colleagues know them."))
    email = forms.EmailField(
        label=_("E-mail"), required=False, error_messages=LENGTHS | {"invalid": _("This is no e-mail address.")}
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        label=_("Role"),
        choices=_list_roles,
        widget=RoleCards,
        error_messages={
            "required": _("Choose a role."),
            "invalid_choice": _("This role no longer exists. Choose another."),
        },
    )

    def clean_role(self) -> Group | None:
        """The group; None for an administrator."""
        if (chosen := self.cleaned_data["role"]) == _ADMINISTRATOR:
            return None
        if (group := Group.objects.filter(pk=chosen).first()) is None:  # it was there when the roles were listed
            raise forms.ValidationError(self.fields["role"].error_messages["invalid_choice"])
        return group


class PersonForm(RoleForm, DetailsForm, UsernameForm):
    """Adds somebody, who chooses the password later."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("username", "name", "email"):
            self.fields[name].widget.attrs["autocomplete"] = "off"  # it is not of who types it


class PeopleForm(forms.Form):
    name = WholeText(label=_("Name or e-mail contains"), required=False, max_length=150)
