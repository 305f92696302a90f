"""The form of the portal's settings."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import models
from portal.failures import Words
from portal.forms.fields import CheckedField, Count, WholeText

_MOST = 20  # lifetimes
_COLUMNS = {"mailed": "unmailed", "sent": "unsent"}  # of what is not checked


class LifetimesField(WholeText):
    """Lifetimes separated by spaces or commas, each once."""

    def clean(self, value: Any) -> str:
        texts = list(dict.fromkeys(super().clean(value).replace(",", " ").split()))
        try:
            for text in texts:
                models.read_lifetime(text)
        except ValueError:
            raise forms.ValidationError(_("Write such as 2h 8h 7d none: numbers with s, m, h or d.")) from None
        if not 0 < len(texts) <= _MOST:
            raise forms.ValidationError(_("Offer from 1 to 20 lifetimes."))
        return " ".join(texts)


class PolicyForm(forms.Form):
    lifetimes = LifetimesField(
        label=gettext_lazy("Lifetimes that the form offers"),
        help_text=gettext_lazy(
            "Numbers with s, m, h or d, separated by spaces; none: without an end. At its end the portal releases a "
            "workstation, after two warnings."
        ),
    )
    lifetime = WholeText(label=gettext_lazy("Preselected lifetime"), help_text=gettext_lazy("One of those above."))
    idle_hours = Count(
        label=gettext_lazy("Hours after which an unused workstation is released"),
        help_text=gettext_lazy(
            "0: never. Unused: no open connection, no new file or log, and no address for scripts was given out."
        ),
    )
    running_per_person = Count(
        label=gettext_lazy("Workstations that a person may have at once"),
        help_text=gettext_lazy("0: no limit. Requests that wait count too."),
    )
    running = Count(
        label=gettext_lazy("Workstations that the team may have at once"),
        help_text=gettext_lazy("0: no limit. Requests that wait count too."),
    )
    second_factor = forms.ChoiceField(
        label=gettext_lazy("Who must have a second factor"),
        choices=models.Policy.SecondFactor,
        help_text=gettext_lazy("Who has none sets one up at the next sign-in, and gets nowhere else before."),
    )

    mailed = CheckedField(
        label=gettext_lazy("Mailed"), help_text=gettext_lazy("To people who have not chosen otherwise for themselves.")
    )
    sent = CheckedField(
        label=gettext_lazy("Sent to the team's channels"),
        help_text=gettext_lazy("Slack, Teams and the like, where the portal's environment names any."),
    )
    support_contact = WholeText(
        label=gettext_lazy("Support contact"),
        required=False,
        max_length=200,
        help_text=gettext_lazy(
            "Whom people turn to where a person has to act: a name, a mail address, a channel. Such failures show it."
        ),
    )
    passes_on = forms.BooleanField(
        label=gettext_lazy("Pass other calls of programs on to AgentStation"),
        required=False,
        help_text=gettext_lazy(
            "Calls that the portal does not know, below a workstation of the token's owner, with the team's key."
        ),
    )

    def __init__(
        self, *args: Any, kinds: Sequence[tuple[str, Words]], team_kinds: Sequence[tuple[str, Words]], **kwargs: Any
    ) -> None:
        """`kinds`: of notifications, by name, with their words; `team_kinds`: those that channels may get."""
        super().__init__(*args, **kwargs)
        self.fields["mailed"].choices, self.fields["sent"].choices = kinds, team_kinds  # type: ignore[attr-defined]

    @property
    def decided(self) -> dict[str, Any]:
        """The columns of the policy: of notifications those are left out that were not checked."""
        values = dict(self.cleaned_data)
        for name, column in _COLUMNS.items():
            checked, choices = values.pop(name), self.fields[name].choices  # type: ignore[attr-defined]
            values[column] = " ".join(kind for kind, _words in choices if kind not in checked)
        return values

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("lifetime") and cleaned["lifetime"] not in cleaned.get("lifetimes", "").split():
            self.add_error("lifetime", _("Choose one of the lifetimes that are offered."))
        return cleaned
