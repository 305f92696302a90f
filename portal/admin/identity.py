"""What the portal knows of its own database: which one it is, when it went back, and what came for nobody."""

from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, pages, readonly


@pages.register(models.Database)
class DatabaseAdmin(readonly.ReadOnlyAdmin):
    """Which database this is, and whether an operator has to say what became of it."""

    list_display = (
        columns.name(label=_("database")),
        "place",
        "timeline",
        "doubt",
        columns.moment("doubted_at", label=_("in doubt since")),
    )
    search_help_text = ""
    fieldsets = (
        (
            None,
            {"fields": ("identity", "place", ("timeline", "timeline_tick"), ("doubt", columns.moment("doubted_at")))},
        ),
    )


@pages.register(models.Restore)
class RestoreAdmin(readonly.ReadOnlyAdmin):
    """Backups that were put back, and what of the past was lost with it."""

    list_display = (
        columns.name(label=_("restore")),
        columns.moment("restored_at", label=_("restored")),
        columns.moment("lost_since", label=_("lost since")),
    )
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    columns.row_link("account"),
                    (columns.moment("lost_since"), "lost_since_tick"),
                    (columns.moment("restored_at"), "restored_tick"),
                )
            },
        ),
    )


@pages.register(models.StrayResponse)
class StrayResponseAdmin(readonly.ReadOnlyAdmin):
    """Responses to attempts that the database lost."""

    list_display = (
        columns.name(label=_("response")),
        columns.moment("came_at", label=_("came")),
        "outcome",
        "http_status",
        columns.failure(),
    )
    deferred = ("response",)
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    columns.row_link("account"),
                    ("attempt_number", "token"),
                    ("outcome", columns.failure()),
                    columns.moment("came_at"),
                )
            },
        ),
        (_("AgentStation's response"), {"fields": ("http_status", "error", "message", columns.response())}),
    )
