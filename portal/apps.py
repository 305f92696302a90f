"""Django's description of the application and of its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules

from portal import checks as portal_checks


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        checks.register(portal_checks.check_files, checks.Tags.security)
        checks.register(portal_checks.check_hosts, checks.Tags.security, deploy=True)
        checks.register(portal_checks.check_bind, checks.Tags.security, deploy=True)
        checks.register(portal_checks.check_encryption, checks.Tags.security, deploy=True)
        checks.register(portal_checks.check_role, checks.Tags.security, deploy=True)


class PortalAdminConfig(AdminConfig):
    """Django admin with the portal's rule of who may enter."""

    default_site = "portal.admin.site.PortalAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover_modules("admin.register")
