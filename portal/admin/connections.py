"""Who was let into a workstation, and who opened it."""

from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, pages, readonly

_SEARCHED = ("workstation__uid", "workstation__request__requester__username", "person__username")


@pages.register(models.Connection)
class ConnectionAdmin(readonly.ReadOnlyAdmin):
    """Each time somebody opened a workstation. The address is kept nowhere."""

    list_display = (
        columns.name(label=_("number")),
        columns.row_link("workstation"),
        columns.row_link("workstation__request__requester", label=_("owner")),
        columns.row_link("person"),
        "kind",
        columns.moment("opened_at", label=_("opened")),
        columns.moment("ended_at", label=_("ended")),
    )
    list_select_related = ("workstation__request__requester", "person")
    list_filter = ("kind",)
    search_fields = _SEARCHED
    number_lookup = "workstation__request_id"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    columns.row_link("workstation"),
                    columns.row_link("person"),
                    ("kind", "is_view_only"),
                    "reason",
                    (columns.moment("opened_at"), columns.moment("seen_at"), columns.moment("ended_at")),
                )
            },
        ),
    )


@pages.register(models.Share)
class ShareAdmin(readonly.ReadOnlyAdmin):
    """Whom an owner let look or work, and until when."""

    list_display = (
        columns.name(label=_("share")),
        columns.row_link("workstation"),
        columns.row_link("workstation__request__requester", label=_("owner")),
        columns.row_link("person"),
        "level",
        columns.moment("created_at", label=_("shared")),
        columns.moment("until"),
        columns.moment("ended_at", label=_("taken back")),
    )
    list_select_related = ("workstation__request__requester", "person")
    list_filter = ("level",)
    search_fields = _SEARCHED
    number_lookup = "workstation__request_id"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    columns.row_link("workstation"),
                    columns.row_link("person"),
                    "level",
                    (columns.moment("created_at"), columns.moment("until"), columns.moment("ended_at")),
                )
            },
        ),
    )
