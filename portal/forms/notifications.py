"""What a person gets by mail."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.failures import Words


class MailForm(forms.Form):
    """`kinds`: those of notifications that the person can get, by name, with their words."""

    kinds = forms.MultipleChoiceField(label=_("Mail me when"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, kinds: Sequence[tuple[str, Words]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kinds"].choices = kinds  # type: ignore[attr-defined]
        self.fields["kinds"].widget.template_name = "forms/widgets/checks.html"
