"""Forms: they check what a person typed, and do nothing else."""

from portal.forms.connections import ConnectionForm, ShareForm
from portal.forms.events import EventFilterForm
from portal.forms.fields import PortalRenderer
from portal.forms.filters import PartsForm, RequestFilterForm, WorkspaceFilterForm, WorkstationFilterForm, list_periods
from portal.forms.notifications import MailForm
from portal.forms.people import DetailsForm, PeopleForm, PersonForm, RoleForm, SeveralForm, UsernameForm, find_role
from portal.forms.policy import PolicyForm
from portal.forms.requests import (
    DecisionForm,
    EndForm,
    OrphanForm,
    ReasonForm,
    RequestForm,
    WorkspaceNameForm,
    WorkspaceOwnerForm,
)
from portal.forms.running import LimitForm
from portal.forms.usage import UsageForm
