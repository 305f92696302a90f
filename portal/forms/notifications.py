"""What a person gets by mail."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.failures import Words
from portal.forms.fields import CheckedField


class MailForm(forms.Form):
    """`kinds`: those of notifications that the person can get, by name, with their words."""

    kinds = CheckedField(label=_("Mail me when"))

    def __init__(self, *args: Any, kinds: Sequence[tuple[str, Words]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kinds"].choices = kinds  # type: ignore[attr-defined]
