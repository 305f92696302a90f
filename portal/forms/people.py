"""Finding people, and adding somebody."""

import csv
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import LENGTHS, WholeText

_ADMINISTRATOR = "administrator"
_MOST_LINES = 200


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
        if models.User.objects.filter(username__iexact=username).exists():
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
    name = WholeText(
        label=_("Name"),
        required=False,
        max_length=150,
        help_text=_("As colleagues know them."),
        validators=[RegexValidator(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", _("A name is one line."), inverse_match=True)],
    )
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
    """Adds somebody, who chooses the password later, or a service account."""

    is_service = forms.BooleanField(
        label=_("Service account for programs"),
        help_text=_("Nobody signs in with it: you make its tokens. It can't be an administrator."),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("username", "name", "email"):
            self.fields[name].widget.attrs["autocomplete"] = "off"  # it is not of who types it


class SeveralForm(forms.Form):
    """Adds several people: a line for each has what the form for one person asks for."""

    people = forms.CharField(
        label=_("People"),
        help_text=_("A line for each person: username, name, e-mail, role. Name and e-mail may be empty."),
        error_messages=LENGTHS | {"required": _("Type a line for each person.")},
        strip=False,  # lines are counted
        widget=forms.Textarea(attrs={"autocomplete": "off", "spellcheck": "false", "rows": 10}),
    )

    def clean_people(self) -> list[dict[str, Any]]:
        """Of each person what a service needs. Each line that is wrong is named."""
        lines = [
            (number, line) for number, line in enumerate(self.cleaned_data["people"].splitlines(), 1) if line.strip()
        ]
        if not lines:
            raise forms.ValidationError(self.fields["people"].error_messages["required"])
        if len(lines) > _MOST_LINES:
            words = _("These are %(count)d people. Add %(most)d or fewer at one time.")
            raise forms.ValidationError(words % {"count": len(lines), "most": _MOST_LINES})
        people, errors, roles = dict[str, dict[str, Any]](), list[str](), _list_role_words()
        for number, line in lines:
            try:
                person = _read_line(line, roles=roles, taken=people)
                people[person["username"].casefold()] = person
            except forms.ValidationError as error:
                errors += [_("Line %(number)d: %(error)s") % {"number": number, "error": why} for why in error.messages]
        if errors:
            raise forms.ValidationError(errors)
        return [*people.values()]


def _list_role_words() -> dict[str, str]:
    """Roles and groups by their names in lower case; where an administrator's is a group's too, the group's."""
    words = {group.name.casefold(): str(group.pk) for group in Group.objects.all()}
    return {str(role.label).casefold(): code for code, role in _list_roles()} | words


def _read_line(line: str, *, roles: Mapping[str, str], taken: Container[str]) -> dict[str, Any]:
    [cells] = csv.reader([line], delimiter="\t" if "\t" in line else ",")  # tabs: copied from a spreadsheet
    if len(cells) != 4:
        raise forms.ValidationError(_("Write username, name, e-mail and role, with commas between them."))
    username, name, email, role = (cell.strip() for cell in cells)
    if username.casefold() in taken:
        raise forms.ValidationError(_("An earlier line has this username."))
    if role.casefold() not in roles:
        raise forms.ValidationError(_("“%(role)s” is not a role.") % {"role": role})
    form = PersonForm({"username": username, "name": name, "email": email, "role": roles[role.casefold()]})
    if not form.is_valid():
        raise forms.ValidationError([why for errors in form.errors.values() for why in errors])
    return form.cleaned_data


class PeopleForm(forms.Form):
    name = WholeText(label=_("Name or e-mail contains"), required=False, max_length=150)
