"""The form by which operators give one person a limit of their own."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import NOT_IN_LIST, Count
from portal.forms.requests import ReasonForm


class LimitForm(ReasonForm):
    person = forms.ModelChoiceField(
        models.User.objects,
        label=_("Person"),
        error_messages={"required": _("Choose a person."), "invalid_choice": NOT_IN_LIST},
    )
    limit = Count(
        label=_("Workstations at once"), required=False, help_text=_("Empty: the portal's limit. 0: no limit.")
    )
    field_order = ("person", "limit", "reason")
