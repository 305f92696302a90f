"""What the first page lists: every model in a section, with a line that says what it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from portal import failures, models

# By the name that the page gives it: its heading, and its models in their order.
SECTIONS: Mapping[str, tuple[failures.Words, Mapping[type[Model], failures.Words]]] = {
    "requests": (
        _("Requests and responses"),
        {
            models.Request: _("What people requested, and what became of it."),
            models.Attempt: _("Each time a request was sent to AgentStation, and the response."),
            models.LateResponse: _("Responses that came after the portal had stopped waiting."),
            models.LostResponse: _("Responses to attempts that the database no longer has."),
            models.Scan: _("Each reading of AgentStation's lists, by which unclear outcomes are resolved."),
        },
    ),
    "workstations": (
        _("Workstations and workspaces"),
        {
            models.Workstation: _("The machines, running and ended, and who requested them."),
            models.Connection: _("Who opened a desktop, a terminal or a log, and for how long."),
            models.Share: _("Whom the owner of a workstation let look or work."),
            models.Workspace: _("Where files stay between machines, and who owns them."),
            models.File: _("Names and sizes of the files in workspaces."),
            models.Log: _("Types, levels and times of the logs in workspaces."),
            models.WorkstationType: _("The types that AgentStation offers, or once offered."),
        },
    ),
    "audit-log": (
        _("Audit log"),
        {
            models.Event: _("Who did what to what, and when."),
            models.Seal: _("Each batch of events that was closed, so that a missing one is noticed."),
            models.Tombstone: _("What was deleted because of its age, named and counted."),
        },
    ),
    "accounts": (
        _("Accounts and people"),
        {
            models.User: _("Who may sign in, and the groups that each person is in."),
            Group: _("What the members of each group may do."),
            models.Account: _("The AgentStation accounts whose workstations the portal manages."),
            models.Key: _("Whether requests are being sent, and if not, why."),
            models.Credential: _("Fingerprints of the API keys in use, and who accepted them."),
        },
    ),
    "changes": (
        _("API changes and backups"),
        {
            models.Notice: _("Responses that differ from AgentStation's documentation."),
            models.Database: _("Which database this is, and whether it was moved."),
            models.Restore: _("Backups that were restored, and what was lost with them."),
        },
    ),
}


def arrange_models(shown: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What Django knows of the models that a person may see, section by section, each with its line."""
    known = {each["model"]: each for each in shown}
    return [
        {
            "name": label,
            "app_label": slug,
            "models": [{**known[model], "words": words} for model, words in listed.items() if model in known],
        }
        for slug, (label, listed) in SECTIONS.items()
        if listed.keys() & known.keys()
    ]
