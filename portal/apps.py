"""Django's description of the application and of its admin."""

from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig

from portal import checks  # noqa: F401 (it registers them)


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        import_module("portal.services.people.membership")  # which gives people their manager


class PortalAdminConfig(SimpleAdminConfig):
    """Django admin with the portal's rule of who may enter, and with the portal's own pages alone."""

    default_site = "portal.admin.site.PortalAdminSite"

    def ready(self) -> None:
        super().ready()
        import_module("portal.admin.register")
