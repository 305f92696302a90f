"""The forms by which operators decide what the portal cannot, and say that they have seen what is new."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.forms.fields import WholeText
from portal.forms.requests import ReasonForm


class DecisionForm(ReasonForm):
    ADOPT, NOT_CREATED, GIVE_UP = "adopt", "not-created", "give-up"

    decision = forms.ChoiceField(
        label=_("What happened?"),
        choices=[(one, one) for one in (ADOPT, NOT_CREATED, GIVE_UP)],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what happened."), "invalid_choice": _("Choose what happened.")},
    )
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

    def __init__(self, *args: Any, needs_confirmation: bool, **kwargs: Any) -> None:
        """`needs_confirmation`: where nothing was created the request is sent again, which may buy a second one."""
        super().__init__(*args, **kwargs)
        self.needs_confirmation = needs_confirmation

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        decision = cleaned.get("decision")
        if decision == self.ADOPT and not cleaned.get("workstation") and "workstation" not in self.errors:
            self.add_error("workstation", _("Choose the workstation that was created for it."))
        if decision == self.NOT_CREATED and self.needs_confirmation and not cleaned.get("confirmed"):
            self.add_error(
                "confirmed",
                _("Sending it again may cost twice. Confirm that you have checked AgentStation's console."),
            )
        return cleaned


class OrphanForm(ReasonForm):
    RELEASE, DISOWN = "release", "disown"

    decision = forms.ChoiceField(
        label=_("What should happen to it?"),
        choices=[(one, one) for one in (RELEASE, DISOWN)],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what should happen."), "invalid_choice": _("Choose what should happen.")},
    )
    field_order = ("decision", "reason")
