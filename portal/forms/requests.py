"""The form that asks for a workstation, and those by which people decide about a request."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import WholeText


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
            "invalid_choice": _("AgentStation doesn't offer this type. Choose one of those shown here."),
        },
    )
    workspace_id = WholeText(
        label=_("Workspace (optional)"),
        required=False,
        help_text=_(
            "Files stay in the workspace when the workstation ends. Leave this empty for a new one, choose one of "
            "yours, or type a workspace ID."
        ),
        validators=[
            RegexValidator(
                r"\A[0-9A-Za-z_-]{1,64}\Z", _("A workspace ID has 1 to 64 letters, digits, hyphens or underscores.")
            )
        ],
        widget=forms.TextInput(
            attrs={"list": "your-workspaces", "autocomplete": "off", "spellcheck": "false", "class": "mono"}
        ),
    )
    note = WholeText(
        label=_("Note (optional)"),
        required=False,
        max_length=500,
        help_text=_("For you and your team, up to 500 characters. AgentStation doesn't see it."),
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
        choices=[
            ("adopt", _("Link a workstation")),
            ("not-created", _("Not created")),
            ("give-up", _("Mark as failed")),
        ],
        error_messages={"required": _("Choose what became of it."), "invalid_choice": _("Choose what became of it.")},
    )
    workstation = WholeText(
        label=_("Workstation"), required=False, max_length=200, widget=forms.TextInput(attrs={"class": "mono"})
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("decision") == "adopt" and not cleaned.get("workstation"):
            self.add_error("workstation", _("Enter the ID of the workstation that was created for it."))
        return cleaned
