"""Requests, their attempts and late responses."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, filters, readonly
from portal.services.reports import timeline
from portal.services.requests import lifecycle

_WORDS = _(
    "R-1042 finds by the request's number, a user name by its person. Of several words each must be in a note, an "
    'error or an ID; quote a phrase, and a number that is text: "1042".'
)


@admin.register(models.Request)
class RequestAdmin(readonly.ExportAdmin):
    export_kind = "requests"
    list_display = (
        "__str__",
        "created_at",
        "requester",
        "type",
        "workspace_uid",
        "status",
        "failure",
        "attempts_made",
        "workstation",
    )
    list_select_related = ("requester", "workstation")
    list_filter = (
        "status",
        filters.TYPE,
        filters.FAILURE,
        ("created_at", filters.TimeFilter),
        filters.REQUESTER,
        filters.ACCOUNT,
    )
    search_fields = ("search_entry__words",)
    search_help_text = _WORDS
    number_lookup = "pk"
    person_lookup = "requester"
    linked_lists = {models.Attempt: "request"}
    portal_page = "request_detail"
    events_by = {"q": "{0.label}"}
    fields = (
        "requester",
        ("type", "workspace_uid", "workspace_name"),
        *models.Request.TEXTS,
        "other_fields",
        ("status", "failure", "attempts_that_count"),
        ("created_at", "ended_at"),
        ("queued_at", "next_attempt_at", "paused_seconds_before"),
        ("workstation", "account", "submission"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Request]:
        """With the number of attempts that were made, which is that of the last one."""
        last = models.Attempt.objects.filter(request=OuterRef("pk")).order_by("-number").values("number")[:1]
        rows: QuerySet[models.Request] = super().get_queryset(request)
        return rows.annotate(made=Subquery(last))

    @admin.display(description=_("attempts"))
    def attempts_made(self, row: Any) -> int:
        return row.made or 0

    @admin.display(description=_("attempts that count"))
    def attempts_that_count(self, row: models.Request) -> str:
        """Those that paused the key, or were only put off, do not use up the few tries of a failure."""
        return _("%(count)s of %(most)s") % {"count": row.attempt_count, "most": lifecycle.MAX_ATTEMPTS}

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.has_perms(("portal.view_attempt", "portal.view_event")):
            history = timeline.read_request_history(portal_request=context["original"])
            context["steps"] = timeline.list_steps(request_history=history)
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(models.Attempt)
class AttemptAdmin(readonly.ReadOnlyAdmin):
    list_display = (
        "__str__",
        "claimed_at",
        "ended_at",
        "request",
        "request__requester",
        "outcome",
        "http_status",
        "failure",
        "error",
        "message",
    )
    list_select_related = ("request__requester",)
    list_filter = ("outcome", filters.FAILURE, ("claimed_at", filters.TimeFilter), filters.REQUEST, filters.KEY)
    search_fields = ("request__search_entry__words",)
    search_help_text = _WORDS
    number_lookup = "request"
    person_lookup = "request__requester"
    name_lookups = ("key_fingerprint",)
    events_by = {"q": "{0.request.label}"}
    fields = (
        ("request", "number", "request__requester"),
        ("outcome", "failure"),
        ("claimed_at", "ended_at", "deadline_at"),
        ("worker", "key_fingerprint"),
        ("http_status", "retry_after"),
        "error",
        "message",
        "response",
        "late_response",
    )

    def list_links(self, row: models.Attempt) -> columns.Links:
        same_key = columns.list_url(models.Attempt, key=row.key_fingerprint)
        return [
            (_("Request"), columns.url_of(row.request)),
            *([(_("Attempts with this key"), same_key)] if row.key_fingerprint else []),
        ]


@admin.register(models.LateResponse)
class LateResponseAdmin(readonly.ReadOnlyAdmin):
    list_display = (
        "__str__",
        "came_at",
        "attempt",
        "attempt__request",
        "outcome",
        "http_status",
        "failure",
        "error",
        "message",
    )
    list_select_related = ("attempt__request__requester",)
    list_filter = ("outcome", filters.FAILURE, ("came_at", filters.TimeFilter))
    search_fields = ("attempt__request__search_entry__words",)
    search_help_text = _WORDS
    number_lookup = "attempt__request"
    person_lookup = "attempt__request__requester"
    events_by = {"q": "{0.attempt.request.label}"}
    fields = (
        ("attempt", "attempt__request"),
        ("outcome", "failure", "http_status"),
        "came_at",
        "error",
        "message",
        "response",
    )
