"""Who was let into a workstation, and who opened it."""

from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, pages, readonly

_WHERE = (columns.row_link("workstation"), columns.row_link("workstation__request__requester", label=_("owner")))
_WHO = columns.row_link("person")


class _OfWorkstations(readonly.ReadOnlyAdmin):
    """Rows that let a person into a workstation: found by it, by its owner, by the person, and by the request."""

    list_select_related = ("workstation__request__requester", "person")
    search_fields = ("workstation__uid", "workstation__request__requester__username", "person__username")
    number_lookup = "workstation__request_id"


@pages.register(models.Connection)
class ConnectionAdmin(_OfWorkstations):
    """Each time somebody opened a workstation. The address is kept nowhere."""

    list_display = (
        columns.name(label=_("number")),
        *_WHERE,
        _WHO,
        "kind",
        columns.moment("opened_at", label=_("opened")),
        columns.moment("ended_at", label=_("ended")),
    )
    list_filter = ("kind",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *_WHERE,
                    _WHO,
                    ("kind", "is_view_only"),
                    "reason",
                    (columns.moment("opened_at"), columns.moment("seen_at"), columns.moment("ended_at")),
                )
            },
        ),
    )


@pages.register(models.Share)
class ShareAdmin(_OfWorkstations):
    """Whom an owner let look or work, and until when."""

    list_display = (
        columns.name(label=_("share")),
        *_WHERE,
        _WHO,
        "level",
        columns.moment("created_at", label=_("shared")),
        columns.moment("until"),
        columns.moment("ended_at", label=_("taken back")),
    )
    list_filter = ("level",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *_WHERE,
                    _WHO,
                    "level",
                    (columns.moment("created_at"), columns.moment("until"), columns.moment("ended_at")),
                )
            },
        ),
    )
