"""The filters of the workstations."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.forms.filters import ListFilterForm, choose, choose_person

RUNNING, ENDED, ALL = "running", "ended", "all"


class WorkstationFilterForm(ListFilterForm):
    """Narrows the list of workstations: those that run, unless it says otherwise."""

    SHOWN = ((RUNNING, _("Running")), (ENDED, _("Ended")), (ALL, _("All")))

    show = choose(_("Which"), SHOWN, widget=forms.HiddenInput)
    type = choose(_("Type"), [])
    person = choose_person()

    @property
    def shown(self) -> str:
        """Which of the three parts of the list; those that run where what was chosen cannot be read."""
        return (self.cleaned_data.get("show") if self.is_valid() else "") or RUNNING
