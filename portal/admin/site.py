"""Who may enter the admin, and its ways out into the portal."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin import sections
from portal.admin.base import changelist, columns
from portal.services.audit import nightly, protection, seals
from portal.services.people import throttle


class PortalAdminSite(admin.AdminSite):
    """Open to active people who may see all: auditors, operators and superusers, without `is_staff`."""

    site_header = _("Workstations: audit log")
    site_title = _("Workstations: audit log")
    index_title = _("Audit log")
    enable_nav_sidebar = False
    empty_value_display = columns.NOTHING

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.has_perm("portal.see_all"))

    def get_urls(self) -> list[Any]:
        """Whoever is signed out is sent straight to the portal's sign-in, not by way of the admin's own."""
        urls = super().get_urls()
        for url in urls:
            getattr(url.callback, "__dict__", {}).pop("login_url", None)
        return urls

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Refuse whoever is signed in and may not enter: the sign-in page would only send them back here, for ever."""
        inner: Callable[..., HttpResponseBase] = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied(_("The audit log is open to auditors and operators."))
            return inner(request, *args, **kwargs)

        return update_wrapper(guarded, inner)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The models that the person may see, in sections instead of by app."""
        shown = self._build_app_dict(request, app_label).values()
        return sections.arrange_models([model for app in shown for model in app["models"]])

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """What people come for, and then all there is."""
        tasks = {
            "days": [(words, columns.list_url(models.Event, **days)) for words, days in changelist.list_days()],
            "all_events": columns.list_url(models.Event),
        }
        state = {
            "audit_log": seals.describe_state(),
            "faults": protection.find_faults(),
            "blocked": throttle.count_blocked(),
            "check": nightly.read_check(),
        }
        return super().index(request, {**(extra_context or {}), **tasks, **state})

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """The first page has the models of all apps."""
        return redirect("admin:index")

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """Nothing: no page here completes anything, and Django's would search any list past what that has for it."""
        raise Http404

    def logout(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Sign out as everywhere in the portal, by POST."""
        return LogoutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The portal has a page for this."""
        return redirect("password_change")

    def password_change_done(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The portal has a page for this."""
        return redirect("password_changed")
