"""The form by which operators say that they have seen what is new."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class _Numbers(forms.TypedMultipleChoiceField):
    """Numbers of rows, whichever there are."""

    def valid_value(self, value: Any) -> bool:
        return str(value).isascii() and str(value).isdigit() and len(str(value)) < 19


class NoticesForm(forms.Form):
    """Which of the notices somebody has seen."""

    notice = _Numbers(
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Tick what you have reviewed."),
            "invalid_choice": _("This is not in the list. Tick what you have reviewed."),
        },
    )
