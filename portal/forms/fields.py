"""Fields that several forms have, and how every form is drawn."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.forms.renderers import TemplatesSetting
from django.utils.translation import gettext_lazy as _


class PortalRenderer(TemplatesSetting):
    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"


NOT_IN_LIST = _("This is not in the list. Choose one that is.")


LENGTHS = {
    "max_length": _("This has %(show_value)d characters. Shorten it to %(limit_value)d or fewer."),
    "null_characters_not_allowed": _("This has a character that can't be stored. Type it again."),
}


class OfferingForm(forms.Form):
    def __init__(self, *args: Any, offered: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """`offered`: what its fields let choose, by their names: choices, or rows."""
        super().__init__(*args, **kwargs)
        for name, values in (offered or {}).items():
            setattr(self.fields[name], "queryset" if isinstance(values, QuerySet) else "choices", values)


def ask_one(label: Any, values: Iterable[str], *, error: Any) -> forms.ChoiceField:
    """One of the values must be chosen; the page has words for each."""
    errors = {"required": error, "invalid_choice": error}
    choices = [(value, value) for value in values]
    return forms.ChoiceField(label=label, choices=choices, widget=forms.RadioSelect, error_messages=errors)


class Count(forms.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        wrong = _("Enter a whole number from 0 to 100,000.")
        errors = dict.fromkeys(("required", "invalid", "min_value", "max_value"), wrong)
        super().__init__(min_value=0, max_value=100_000, error_messages=errors, **kwargs)


class CheckedField(forms.MultipleChoiceField):
    """Any of its choices, each with a box to check."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.CheckboxSelectMultiple, **kwargs)
        self.widget.template_name = "forms/widgets/checks.html"


class WholeText(forms.CharField):
    """A text that is refused where it is too long. A browser that knows the limit would cut it without a word."""

    widget = forms.TextInput(attrs={"autocomplete": "off"})

    def __init__(self, *, error_messages: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(error_messages=LENGTHS | (error_messages or {}), **kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}
