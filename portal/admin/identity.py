"""What the portal knows of its own database: which one it is, when it went back, and what came for nobody."""

from django.contrib import admin

from portal import models
from portal.admin.base import readonly


@admin.register(models.Database)
class DatabaseAdmin(readonly.ReadOnlyAdmin):
    """Which database this is, and whether an operator has to say what became of it."""

    list_display = ("__str__", "place", "timeline", "doubt", "doubted_at")


@admin.register(models.Restore)
class RestoreAdmin(readonly.ReadOnlyAdmin):
    """Backups that were put back, and what of the past was lost with it."""

    list_display = ("__str__", "restored_at", "lost_since")


@admin.register(models.StrayResponse)
class StrayResponseAdmin(readonly.ReadOnlyAdmin):
    """Responses to attempts that the database lost."""

    list_display = ("__str__", "came_at", "outcome", "http_status", "failure")
