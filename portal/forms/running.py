"""Limits on what runs at once: the portal's, and one person's."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import models
from portal.forms.fields import NOT_IN_LIST
from portal.forms.requests import ReasonForm

_MOST = 100_000


class _Number(forms.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        wrong = gettext_lazy("Enter a whole number from 0 to 100,000.")
        errors = dict.fromkeys(("required", "invalid", "min_value", "max_value"), wrong)
        super().__init__(min_value=0, max_value=_MOST, error_messages=errors, **kwargs)


class PolicyForm(forms.Form):
    running_per_person = _Number(label=gettext_lazy("Workstations that a person may have at once"))
    running = _Number(label=gettext_lazy("Workstations that the team may have at once"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, default in models.Policy.read_defaults().items():
            words = _("0: no limit. Requests that wait count too. The environment's default is %(default)d.")
            self.fields[name].help_text = words % {"default": default}


class LimitForm(ReasonForm):
    limit = _Number(
        label=gettext_lazy("Workstations at once"),
        required=False,
        help_text=gettext_lazy("Empty: the portal's limit. 0: no limit."),
    )
    field_order = ("person", "limit", "reason")

    def __init__(self, *args: Any, people: QuerySet[models.User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        errors = {"required": _("Choose a person."), "invalid_choice": NOT_IN_LIST}
        self.fields["person"] = forms.ModelChoiceField(people, label=_("Person"), error_messages=errors)
        self.order_fields(self.field_order)
