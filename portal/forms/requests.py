"""The form that asks for a workstation, and those by which operators decide about requests and what they made."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import NOT_IN_LIST, OfferingForm, WholeText, ask_one


class TypeCards(forms.RadioSelect):
    template_name = "forms/widgets/type_cards.html"
    option_template_name = "forms/widgets/type_card.html"


class Lengths(forms.RadioSelect):
    template_name = "forms/widgets/lengths.html"


class WorkspaceChoices(forms.RadioSelect):
    template_name = "forms/widgets/workspace_choices.html"


def _make_name_field(label: Any) -> WholeText:
    help_text = _("Shown instead of the ID, up to 60 characters. AgentStation doesn't see it.")
    return WholeText(label=label, required=False, max_length=60, help_text=help_text)


class WorkspaceNameForm(forms.Form):
    name = _make_name_field(_("Name"))


NEW, OTHER = "+new", "+other"  # no workspace can have these as its ID
_UID = re.compile(r"[0-9A-Za-z_-]{1,64}")
# Of the contract's types; another stands below "Others".
_TYPE_GROUPS = {
    _("Browsers"): ("chromium", "meet-chromium", "zoom-chromium"),
    _("Code"): ("python", "nodejs", "golang"),
    _("Calls and everything"): ("voip", "voip-chromium", "max"),
}
# The field of each submitted column.
_FIELDS = {name: "workspace_id" if name == "workspace_uid" else name for name in models.Request.SUBMITTED}
_NO_UID = _("A workspace ID has 1 to 64 letters, digits, hyphens or underscores.")


class LifetimeField(forms.CharField):
    """A lifetime that is offered, or another that is not longer than those; left out, the one that is preset."""

    widget = forms.Select

    def offer(self, policy: models.Policy, *, is_bound: bool = True) -> None:
        """`is_bound`: to the longest that is offered."""
        self.policy, self.longest, self.required = policy, policy.longest if is_bound else None, False
        offered = policy.lifetimes.split() + ([] if self.longest else [models.UNENDING])
        self.widget.choices = [(text, models.describe_lifetime(text)) for text in dict.fromkeys(offered)]

    def clean(self, value: Any) -> str:
        text = super().clean(value) or self.policy.lifetime
        try:
            length = models.read_lifetime(text)
        except ValueError:
            raise forms.ValidationError(NOT_IN_LIST) from None
        if self.longest and (length is None or length > self.longest):
            raise forms.ValidationError(_("This is too long. Choose one of those shown here."))
        return text


class RequestForm(forms.Form):
    """Asks for a workstation. `place` chooses among workspaces; without it `workspace_id` alone says which."""

    type = forms.ChoiceField(
        label=_("Workstation type"),
        widget=TypeCards,
        error_messages={
            "required": _("Choose a workstation type."),
            "invalid_choice": _("AgentStation doesn't offer this type. Choose one of those shown here."),
        },
    )
    # Whose a workspace is, is asked when it is submitted.
    place = WholeText(
        label=_("Workspace"),
        required=False,
        help_text=_("Files stay in the workspace when the workstation ends."),
        validators=[RegexValidator(rf"\A(\{NEW}|\{OTHER}|{_UID.pattern})\Z", NOT_IN_LIST)],
        widget=WorkspaceChoices,
    )
    workspace_name = _make_name_field(_("Name of the new workspace (optional)"))
    workspace_id = WholeText(
        label=_("Workspace ID"),
        required=False,
        validators=[RegexValidator(rf"\A{_UID.pattern}\Z", _NO_UID)],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    lifetime = LifetimeField(
        label=_("Release it after"),
        help_text=_("You are warned before it ends, and can keep it longer."),
        widget=Lengths,
    )
    note = WholeText(
        label=_("Note (optional)"),
        required=False,
        max_length=500,
        help_text=_("For you and your team, up to 500 characters. AgentStation doesn't see it."),
    )
    submission = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages={
            "required": _("This form had lost its number. It has a new one now: please send it again."),
            "invalid": _("This form's number was damaged. It has a new one now: please send it again."),
        },
    )

    def __init__(
        self, *args: Any, types: Sequence[models.WorkstationType], policy: models.Policy, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lifetime"].offer(policy)  # type: ignore[attr-defined]
        if self.initial.get("lifetime") not in policy.lifetimes.split():
            self.initial["lifetime"] = policy.lifetime
        # Each type is its own label, as each workspace below, so that its choice can show more than its name.
        self.fields["type"].choices = _group_types(types)  # type: ignore[attr-defined]
        if len(types) == 1:
            self.initial["type"] = types[0].name

    def offer(self, *, workspaces: Sequence[models.Workspace]) -> None:
        own: dict[str, Any] = {one.uid: one for one in workspaces if _UID.fullmatch(one.uid)}
        choices = {NEW: _("A new workspace"), **own, OTHER: _("Another workspace (its ID, from Workspaces)")}
        self.fields["place"].widget.choices = choices.items()
        values = self.data if self.is_bound else self.initial
        if values.get("place") not in choices:
            uid = values.get("workspace_id", "")
            place = NEW if not uid else uid if uid in own else OTHER
            self.data, self.initial = {**self.data, "place": place}, {**self.initial, "place": place}

    @staticmethod
    def repeat(earlier: models.Request) -> dict[str, object]:
        return {field: getattr(earlier, name) for name, field in _FIELDS.items()}

    @property
    def submitted(self) -> dict[str, Any]:
        columns = _FIELDS | {"submission": "submission"}
        return {name: self.cleaned_data[field] for name, field in columns.items()}

    @property
    def texts(self) -> list[forms.BoundField]:
        return [self[name] for name in models.Request.TEXTS]

    @property
    def has_typed_workspace(self) -> bool:
        return self.cleaned_data.get("place") in ("", OTHER)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        place = cleaned.get("place")
        if place == OTHER and not cleaned.get("workspace_id") and "workspace_id" not in self.errors:
            self.add_error("workspace_id", _("Enter the workspace's ID, or choose a new workspace."))
        if place and place != OTHER:
            self.errors.pop("workspace_id", None)  # of a field that is not shown
            cleaned["workspace_id"] = "" if place == NEW else place
        if cleaned.get("workspace_name") and (cleaned.get("workspace_id") or place == OTHER):
            self.add_error("workspace_name", _("Only a new workspace gets a name. Choose one, or clear this."))
        return cleaned


def _group_types(types: Sequence[models.WorkstationType]) -> list[tuple[Any, list[tuple[str, Any]]]]:
    left = {one.name: one for one in types}
    grouped = [
        (group, [(name, left.pop(name)) for name in names if name in left]) for group, names in _TYPE_GROUPS.items()
    ]
    return [(group, choices) for group, choices in [*grouped, (_("Others"), [*left.items()])] if choices]


class ReasonForm(OfferingForm):
    reason = WholeText(
        label=_("Reason"),
        max_length=500,
        help_text=_("Why, or what you found out, for the audit log, up to 500 characters. It cannot be changed later."),
        error_messages={"required": _("Say why: the reason is kept in the audit log.")},
    )

    def __init__(self, *args: Any, needs_reason: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason

    @property
    def words(self) -> str:
        """What is wrong with it."""
        return " ".join(str(error) for errors in self.errors.values() for error in errors)


class EndForm(ReasonForm):
    """When a workstation ends, counted from now."""

    lifetime = LifetimeField(label=_("Ends, from now on, after"))
    field_order = ("lifetime", "reason")

    def __init__(self, *args: Any, policy: models.Policy, is_own: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lifetime"].offer(policy, is_bound=is_own)  # type: ignore[attr-defined]
        self.initial.setdefault("lifetime", policy.lifetime)
        if is_own:
            del self.fields["reason"]


class WorkspaceOwnerForm(ReasonForm):
    owner = forms.ModelChoiceField(models.User.objects, label=_("Owner"))


class DecisionForm(ReasonForm):
    ADOPT, NOT_CREATED, GIVE_UP = "adopt", "not-created", "give-up"

    decision = ask_one(_("What happened?"), (ADOPT, NOT_CREATED, GIVE_UP), error=_("Choose what happened."))
    workstation = WholeText(
        label=_("Workstation to link"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"class": "mono", "list": "unassigned", "autocomplete": "off"}),
    )
    confirmed = forms.BooleanField(
        label=_("I have checked AgentStation's console, and accept that sending it again may cost twice."),
        required=False,
    )
    field_order = ("decision", "workstation", "confirmed", "reason")

    def __init__(
        self, *args: Any, needs_confirmation: bool, workstations: QuerySet[models.Workstation], **kwargs: Any
    ) -> None:
        """`needs_confirmation`: where nothing was created the request is sent again, which may buy a second one."""
        super().__init__(*args, **kwargs)
        self.needs_confirmation, self.workstations = needs_confirmation, workstations

    def clean(self) -> dict[str, Any]:
        """The `workstation` that is to be linked becomes its row."""
        cleaned = super().clean() or {}
        decision, uid = cleaned.get("decision"), cleaned.pop("workstation", None)
        cleaned["workstation"] = self.workstations.filter(uid=uid).first() if decision == self.ADOPT and uid else None
        if decision == self.ADOPT and uid is not None and cleaned["workstation"] is None:
            unknown, none = (
                _("The portal knows no workstation with this ID."),
                _("Choose the workstation that was created for it."),
            )
            self.add_error("workstation", unknown if uid else none)
        if decision == self.NOT_CREATED and self.needs_confirmation and not cleaned.get("confirmed"):
            self.add_error(
                "confirmed", _("Sending it again may cost twice. Confirm that you have checked AgentStation's console.")
            )
        return cleaned


class OrphanForm(ReasonForm):
    RELEASE, DISOWN = "release", "disown"

    decision = ask_one(_("What should happen to it?"), (RELEASE, DISOWN), error=_("Choose what should happen."))
    field_order = ("decision", "reason")
