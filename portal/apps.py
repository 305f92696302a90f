"""Django's description of the application and of its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.module_loading import autodiscover_modules

from portal import checks  # noqa: F401 (it registers them)


class PortalConfig(AppConfig):
    name = "portal"


class PortalAdminConfig(AdminConfig):
    """Django admin with the portal's rule of who may enter."""

    default_site = "portal.admin.site.PortalAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("admin.register")
