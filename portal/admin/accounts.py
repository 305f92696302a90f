"""Accounts at the provider, and the state of their keys. The key itself is nowhere in the database."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns, filters, pages, readonly


@pages.register(models.Account)
class AccountAdmin(readonly.ReadOnlyAdmin):
    """Whose workstations a key reaches."""

    list_display = (
        columns.name(label=_("account")),
        columns.row_link("key"),
        columns.moment("created_at", label=_("created")),
    )
    list_select_related = ("key",)
    search_fields = ("base_url",)
    search_help_text = ""
    fieldsets = (
        (None, {"fields": (columns.name(label=_("base URL")), columns.row_link("key"), columns.moment("created_at"))}),
    )

    def list_links(self, row: models.Account) -> list[tuple[failures.Words, str]]:
        return [
            (_("Requests"), columns.list_url(models.Request, account=row.pk)),
            (_("Workstations"), columns.list_url(models.Workstation, account=row.pk)),
            (_("Workspaces"), columns.list_url(models.Workspace, account=row.pk)),
            (_("Workstation types"), columns.list_url(models.WorkstationType, account=row.pk)),
        ]


@pages.register(models.Key)
class KeyAdmin(readonly.ReadOnlyAdmin):
    """Whether the team's requests go out, and if not, why."""

    list_display = (
        columns.name(label=_("key")),
        "state",
        columns.failure("cause"),
        columns.moment("paused_at", label=_("paused since")),
        columns.moment("paused_until", label=_("paused until")),
    )
    list_select_related = ("account",)
    list_filter = ("state", filters.CauseFilter)
    search_fields = ("account__base_url", "cause")
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    columns.row_link("account"),
                    ("state", columns.failure("cause")),
                    (columns.moment("paused_at"), columns.moment("paused_until"), "pause_seconds", "operator_only"),
                    (columns.moment("pause_ended_at"), "paused_seconds"),
                    ("consecutive_failures", "consecutive_pauses"),
                    ("probes", columns.moment("probe_at"), "resumed_by_probe"),
                )
            },
        ),
    )

    def list_links(self, row: models.Key) -> list[tuple[failures.Words, str]]:
        return [(_("Open in the portal"), reverse("key"))]


@pages.register(models.Credential)
class CredentialAdmin(readonly.ReadOnlyAdmin):
    """The keys that processes of the portal have had, by their fingerprints, and who accepted them."""

    list_display = (
        columns.name(label=_("credential")),
        "base_url",
        columns.moment("asked_at", label=_("first seen")),
        columns.moment("accepted_at", label=_("accepted")),
        columns.moment("seen_at", label=_("last seen")),
    )
    list_select_related = ("account",)
    search_fields = ("fingerprint", "base_url", "seen_on")
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("fingerprint", "base_url", "is_sandbox"),
                    columns.row_link("account"),
                    columns.moment("asked_at", label=_("first seen")),
                    (columns.moment("accepted_at", label=_("accepted")), columns.row_link("accepted_by")),
                    (columns.moment("seen_at", label=_("last seen")), "seen_on"),
                )
            },
        ),
    )

    def list_links(self, row: models.Credential) -> list[tuple[failures.Words, str]]:
        return [(_("Attempts with this key"), columns.list_url(models.Attempt, key=row.fingerprint))]


@pages.register(models.Scan)
class ScanAdmin(readonly.ReadOnlyAdmin):
    """Readings of the provider's lists: the evidence by which unknown requests are settled."""

    list_display = (
        columns.name(label=_("scan")),
        columns.moment("begun_at", label=_("begun")),
        columns.moment("ended_at", label=_("ended")),
        "is_whole",
        "problem",
        "active_count",
        "history_count",
        "new_count",
    )
    list_filter = ("is_whole",)
    search_fields = ("problem",)
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    columns.row_link("account"),
                    (columns.moment("begun_at"), columns.moment("ended_at")),
                    ("is_whole", "problem"),
                    ("active_count", "history_count", "new_count"),
                )
            },
        ),
    )

    def find_events(self, row: models.Scan) -> dict[str, object]:
        """What was settled by it: from its beginning to that of the next."""
        later = models.Scan.objects.filter(account=row.account_id, id__gt=row.pk).order_by("id").first()
        until = {"at__lt": later.begun_at.isoformat(" ")} if later else {}
        return {"verb": "reconcile", "at__gte": row.begun_at.isoformat(" "), **until}


@pages.register(models.Notice)
class NoticeAdmin(readonly.ReadOnlyAdmin):
    """API changes."""

    list_display = (
        columns.name(label=_("difference")),
        columns.moment("first_at", label=_("first seen")),
    )
    search_fields = ("kind",)
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "kind",
                    columns.moment("first_at"),
                    "example",
                    "numbers",
                )
            },
        ),
    )


@pages.register(models.WorkstationType)
class WorkstationTypeAdmin(readonly.ReadOnlyAdmin):
    """The types that the provider's list has, and those that it once had."""

    list_display = (
        columns.name(label=_("type"), show=columns.short("name", longest=60)),
        columns.short_text("description"),
        columns.moment("first_listed_at", label=_("first listed")),
        columns.moment("listed_at", label=_("last listed")),
        columns.moment("withdrawn_at", label=_("withdrawn")),
        columns.row_link("account"),
    )
    list_select_related = ("account",)
    list_filter = (filters.AccountFilter,)
    search_fields = ("name", "description")
    search_help_text = ""
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "description",
                    ("hardware", "software", "ai_models"),
                    (columns.moment("first_listed_at"), columns.moment("listed_at"), columns.moment("withdrawn_at")),
                    columns.row_link("account"),
                )
            },
        ),
        (_("As it came"), {"fields": (columns.laid_out("raw"),)}),
    )

    def find_events(self, row: models.WorkstationType) -> dict[str, object]:
        """Those of its account that say which types are offered."""
        return {"verb": "change-types", "target": f"account {row.account}"}
