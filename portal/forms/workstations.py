"""The filters of the workstations."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import NOT_IN_LIST
from portal.forms.filters import choose_person

RUNNING, ENDED, ALL = "running", "ended", "all"


class WorkstationFilterForm(forms.Form):
    """Narrows the list of workstations: those that run, unless it says otherwise."""

    SHOWN = ((RUNNING, _("Running")), (ENDED, _("Ended")), (ALL, _("All")))

    show = forms.ChoiceField(
        required=False, choices=SHOWN, widget=forms.HiddenInput, error_messages={"invalid_choice": NOT_IN_LIST}
    )
    type = forms.ChoiceField(label=_("Type"), required=False, error_messages={"invalid_choice": NOT_IN_LIST})
    person = choose_person()

    def __init__(self, *args: Any, types: Iterable[str], with_person: bool, **kwargs: Any) -> None:
        """`types` are the names of those that workstations may have."""
        super().__init__(*args, **kwargs)
        names = [(name, models.label_type(name)) for name in types]
        self.fields["type"].choices = [("", _("Any")), *names]  # type: ignore[attr-defined]
        if not with_person:
            del self.fields["person"]

    @property
    def shown(self) -> str:
        """Which of the three parts of the list; those that run where what was chosen cannot be read."""
        return (self.cleaned_data.get("show") if self.is_valid() else "") or RUNNING
