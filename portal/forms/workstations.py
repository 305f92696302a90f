"""The filters of the workstations and of the workspaces."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.forms.filters import ListFilterForm, PartsForm, PeriodForm, choose, choose_moment, choose_person


class WorkstationFilterForm(PartsForm, ListFilterForm, PeriodForm):
    """Narrows the list of workstations. Who sees everybody's may ask for those that ran in a period, ended or not."""

    FOR_EVERYBODY = ("person", "since", "until")
    PARTS = (("running", _("Running")), ("ended", _("Ended")), ("all", _("All")))

    type = choose(_("Type"), [])
    person = choose_person()
    since = choose_moment(_("Ran between"))
    until = choose_moment(_("and"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        return {**cleaned, "show": "all"} if cleaned.get("since") or cleaned.get("until") else cleaned


class WorkspaceFilterForm(PartsForm):
    """Narrows the list of workspaces. One is in use while a workstation runs with it."""

    PARTS = (("all", _("All")), ("in-use", _("In use")), ("unused", _("Not in use")))
