"""The filters of the workstations and of the workspaces."""

from django.utils.translation import gettext_lazy as _

from portal.forms.filters import ListFilterForm, PartsForm, choose, choose_person


class WorkstationFilterForm(PartsForm, ListFilterForm):
    """Narrows the list of workstations."""

    PARTS = (("running", _("Running")), ("ended", _("Ended")), ("all", _("All")))

    type = choose(_("Type"), [])
    person = choose_person()


class WorkspaceFilterForm(PartsForm):
    """Narrows the list of workspaces. One is in use while a workstation runs with it."""

    PARTS = (("all", _("All")), ("in-use", _("In use")), ("unused", _("Not in use")))
