"""Who was let into a workstation, and who opened it."""

from django.contrib import admin

from portal import models
from portal.admin.base import readonly


class _OfWorkstations(readonly.ReadOnlyAdmin):
    """Rows that let a person into a workstation: found by it, by its owner, by the person, and by the request."""

    list_select_related = ("workstation__request__requester", "person")
    search_fields = ("workstation__uid", "workstation__request__requester__username", "person__username")
    number_lookup = "workstation__request"


@admin.register(models.Connection)
class ConnectionAdmin(_OfWorkstations):
    """Each time somebody opened a workstation. The address is kept nowhere."""

    list_display = (
        *("__str__", "workstation", "workstation__request__requester", "person"),
        *("kind", "opened_at", "ended_at"),
    )
    list_filter = ("kind",)
    exclude = ("is_opening",)


@admin.register(models.Share)
class ShareAdmin(_OfWorkstations):
    """Whom an owner let look or work, and until when."""

    list_display = (
        *("__str__", "workstation", "workstation__request__requester", "person"),
        *("level", "created_at", "until", "ended_at"),
    )
    list_filter = ("level",)
