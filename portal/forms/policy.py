"""The form of the portal's settings."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import models
from portal.forms.fields import LENGTHS, Count, WholeText

_MOST = 20  # lifetimes


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
    lifetime = WholeText(
        label=gettext_lazy("Preselected lifetime"),
        help_text=gettext_lazy("One of those above."),
        error_messages=LENGTHS,
    )
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, default in models.Policy.read_defaults().items():
            words = _("The environment's default is %(default)s.") % {"default": default}
            self.fields[name].help_text = f"{self.fields[name].help_text} {words}"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("lifetime") and cleaned["lifetime"] not in cleaned.get("lifetimes", "").split():
            self.add_error("lifetime", _("Choose one of the lifetimes that are offered."))
        return cleaned
