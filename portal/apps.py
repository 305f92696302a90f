"""Django's description of the application and of its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    """The one application."""

    name = "portal"


class PortalAdminConfig(AdminConfig):
    """Django admin with the portal's rule of who may enter."""

    default_site = "portal.admin.site.PortalAdminSite"
