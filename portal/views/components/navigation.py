"""The entries of the bar, which differ by what somebody is here for."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from portal import models
from portal.services.reconciliation import operator_actions

# What lies below an entry: names of addresses.
_BELOW = {
    "request_list": ("request_detail", "request_close"),
    "workstation_list": ("workstation_detail",),
    "workspace_list": ("workspace_detail",),
    "unknown": ("unknown_decide", "orphan_decide"),
    "admin:index": ("audit_log",),
    "failure_list": ("failure_detail",),
}


def list_entries(*, user: models.User, here: str) -> Iterator[tuple[str, str, str, int]]:
    """The entries for a person on the page whose address has the name `here`. One query more for an operator.

    Words, the link, the value of aria-current ("page" on the page itself, "true" on one below it), and what waits.
    """
    for words, name, count in _choose(user):
        current = "page" if here == name else "true" if here in _BELOW.get(name, ()) else ""
        yield words, reverse(name), current, count


def _choose(user: models.User) -> Iterator[tuple[str, str, int]]:
    """Words, the name of an address, and how much waits there."""
    sees_all, decides = user.has_perm("portal.see_all"), user.has_perm("portal.close_request")
    yield (_("Overview") if sees_all else _("Workstations")), "home", 0
    if sees_all:
        yield _("Workstations"), "workstation_list", 0
    yield _("Requests"), "request_list", 0
    if decides or not sees_all:
        yield _("Workspaces"), "workspace_list", 0
    if sees_all:
        yield _("Usage"), "usage", 0
    if decides and sees_all:
        yield _("Needs review"), "unknown", operator_actions.count_open_decisions()
    elif sees_all:
        yield _("Audit log"), "admin:index", 0
    yield _("Help"), "failure_list", 0
