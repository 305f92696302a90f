"""Who may enter the admin, what its first page lists, and its ways out into the portal."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.auth.views import LogoutView
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from portal import failures, forms, models
from portal.admin.base import columns
from portal.services.audit import nightly, protection, seals
from portal.services.limits import throttle

# Headings, by the names that the page gives them; and below each the models, with a line that says what each is.
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


class PortalAdminSite(admin.AdminSite):
    """Open to active people who may see all: auditors, operators and superusers, without `is_staff`."""

    site_header = site_title = _("Workstations: audit log")
    index_title = _("Audit log")
    enable_nav_sidebar = False
    empty_value_display = columns.NOTHING

    def has_permission(self, request: HttpRequest) -> bool:
        """Refuses whoever is signed in and may not enter: the sign-in page would only send them back here, for ever."""
        may_enter = request.user.has_perm("portal.see_all")
        if request.user.is_authenticated and not may_enter:
            raise PermissionDenied(_("The audit log is open to auditors and operators."))
        return may_enter

    def get_urls(self) -> list[Any]:
        """Whoever is signed out is sent straight to the portal's sign-in, not by way of the admin's own."""
        urls = super().get_urls()
        for url in urls:
            getattr(url.callback, "__dict__", {}).pop("login_url", None)
        return urls

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """What the person may see of each section, every model with its line."""
        apps = self._build_app_dict(request, app_label).values()
        known = {shown["model"]: shown for app in apps for shown in app["models"]}
        return [
            {"name": title, "app_label": section, "models": listed}
            for section, (title, words) in SECTIONS.items()
            if (listed := [{**known[model], "words": words[model]} for model in words if model in known])
        ]

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        shown = {
            "days": forms.list_periods(partial(columns.list_url, models.Event)),
            "all_events": columns.list_url(models.Event),
            "audit_log": seals.describe_state(),
            "faults": protection.find_faults(),
            "blocked": throttle.count_blocked(),
            "check": nightly.read_check(),
        }
        return super().index(request, {**(extra_context or {}), **shown})

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """The first page has the models of all apps."""
        return redirect("admin:index")

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """Nothing: no page here completes anything, and Django's would search any list past what that has for it."""
        raise Http404

    def logout(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return LogoutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return redirect("password_change")

    def password_change_done(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return redirect("password_changed")
