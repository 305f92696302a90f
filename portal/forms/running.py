"""The form by which operators give one person a limit of their own."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import models
from portal.forms.fields import NOT_IN_LIST, Count
from portal.forms.requests import ReasonForm


class LimitForm(ReasonForm):
    limit = Count(
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
