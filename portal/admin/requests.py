"""Requests, their attempts and late responses."""

from typing import Any

from django.contrib import admin
from django.db.models import BinaryField, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Length, Substr
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns, export, filters, found, pages, readonly, responses, story, typefilters
from portal.services.requests import retry_policy

_LONGEST_START = 4096  # bytes of each response on the request's page
_HTTP_STATUS = columns.value("http_status", label=_("HTTP status"))
# Those that paused the key, or were only put off, are attempts too, but do not use up the few tries of a failure.
_COUNTED = columns.make_column(
    lambda row: _("%(count)s of %(most)s") % {"count": row.attempt_count, "most": retry_policy.MAX_ATTEMPTS},
    field="attempt_count",
    label=_("attempts that count"),
)


class AttemptInline(readonly.ReadOnlyInline):
    """The newest attempts of a request, each with the beginning of its response; the attempt's page has all of it."""

    model = models.Attempt
    classes = ("collapse",)
    verbose_name_plural = format_lazy(_("attempts (the newest {number} at most)"), number=story.MOST_ATTEMPTS)
    fields = (
        ("outcome", columns.failure(), _HTTP_STATUS),
        (columns.moment("claimed_at"), columns.moment("ended_at"), "took", "retry_after"),
        ("error", "message"),
        "response_start",
        columns.row_link("late_response", label=_("late response")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Attempt]:
        newest = models.Attempt.objects.filter(request=OuterRef("request")).order_by("-number").values("number")[:1]
        attempts: QuerySet[models.Attempt] = super().get_queryset(request)
        return (
            attempts.filter(number__gt=Subquery(newest) - story.MOST_ATTEMPTS)
            .annotate(
                start=Substr("response", 1, _LONGEST_START, output_field=BinaryField()),
                length=Length("response", output_field=IntegerField()),
            )
            .select_related("late_response")
            .defer("response", "late_response__response")
            .order_by("number")
        )

    @admin.display(description=_("took"))
    def took(self, attempt: models.Attempt) -> str:
        """How long the provider had."""
        if attempt.ended_at is None:
            return columns.NOTHING
        return f"{(attempt.ended_at - attempt.claimed_at).total_seconds():.3f} s"

    @admin.display(description=_("response"))
    def response_start(self, attempt: Any) -> SafeString | str:
        """The beginning of the response."""
        return responses.show_response(attempt.start, length=attempt.length)


@pages.register(models.Request)
class RequestAdmin(export.ExportMixin, readonly.ReadOnlyAdmin):
    """What was asked for."""

    export_kind = "requests"
    list_display = (
        columns.name(label=_("number")),
        columns.moment("created_at", label=_("created")),
        columns.row_link("requester"),
        columns.short_text("type", longest=30),
        columns.short_text("workspace_uid", label=_("workspace"), longest=24),
        "status",
        columns.failure(),
        columns.make_column(lambda row: row.attempts_made or 0, field="attempts", label=_("attempts")),
        columns.row_link("workstation"),
    )
    list_select_related = ("requester", "workstation")
    list_filter = (
        "status",
        typefilters.RequestTypeFilter,
        filters.FailureFilter,
        ("created_at", filters.TimeFilter),
        filters.RequesterFilter,
        filters.AccountFilter,
    )
    search_fields = ("workspace_uid", *models.Request.TEXTS)
    number_lookup = "pk"
    inlines = (AttemptInline,)
    fieldsets = (
        (
            _("Details"),
            {
                "classes": ("collapse",),
                "fields": (
                    columns.name(label=_("number")),
                    columns.row_link("requester"),
                    ("type", columns.value("workspace_uid", label=_("workspace ID")), "workspace_name"),
                    *models.Request.TEXTS,
                    ("status", columns.failure()),
                    _COUNTED,
                    columns.row_link("workstation"),
                    columns.row_link("account"),
                ),
            },
        ),
        (
            _("Times"),
            {
                "classes": ("collapse",),
                "fields": (
                    (columns.moment("created_at"), columns.moment("ended_at")),
                    (columns.moment("queued_at"), columns.moment("next_attempt_at")),
                    ("paused_seconds_before", "submission"),
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Request]:
        """With the number of attempts that were made, which is that of the last one."""
        last = models.Attempt.objects.filter(request=OuterRef("pk")).order_by("-number").values("number")[:1]
        rows: QuerySet[models.Request] = super().get_queryset(request)
        return rows.annotate(attempts_made=Subquery(last)).defer("workstation__raw")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        told = story.tell_story(portal_request=context["original"], user=request.user)  # type: ignore[arg-type]
        return super().render_change_form(request, context | {"story": told}, *args, **kwargs)

    def find_ids(self, asked: found.Asked) -> list[int] | None:
        """In all texts of the request, as the history does; that also answers several filters together."""
        return found.find_requests(asked)

    def list_links(self, row: models.Request) -> list[tuple[failures.Words, str]]:
        return [
            (_("Open in the portal"), reverse("request_detail", args=[row.pk])),
            (_("All attempts"), columns.list_url(models.Attempt, request=row.pk)),
        ]

    def find_events(self, row: models.Request) -> dict[str, object]:
        return {"q": row.label}


class LateResponseInline(readonly.ReadOnlyInline):
    """The response that came after the deadline."""

    model = models.LateResponse
    fields = (
        ("outcome", columns.failure(), _HTTP_STATUS),
        columns.moment("came_at"),
        "error",
        "message",
        columns.response(),
    )


@pages.register(models.Attempt)
class AttemptAdmin(readonly.ReadOnlyAdmin):
    """What was sent, and what came back."""

    list_display = (
        columns.name(label=_("attempt")),
        columns.moment("claimed_at", label=_("claimed")),
        columns.moment("ended_at", label=_("ended")),
        columns.row_link("request"),
        columns.row_link("request__requester"),
        "outcome",
        _HTTP_STATUS,
        columns.failure(),
        columns.short_text("error", longest=60),
        columns.short_text("message", longest=60),
    )
    list_select_related = ("request__requester",)
    list_filter = (
        "outcome",
        filters.FailureFilter,
        ("claimed_at", filters.TimeFilter),
        filters.RequestFilter,
        filters.KeyFilter,
    )
    search_fields = ("error", "message", "key_fingerprint")
    search_help_text = _(
        "R-1042 finds by the request's number; words find the attempts of requests that have all of them in a note, an "
        "error, a workspace's name or an ID; a key's fingerprint finds the attempts that used it."
    )
    number_lookup = "request_id"
    deferred = ("response",)
    inlines = (LateResponseInline,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    (columns.row_link("request"), "number", columns.row_link("request__requester")),
                    ("outcome", columns.failure()),
                    (columns.moment("claimed_at"), columns.moment("ended_at"), columns.moment("deadline_at")),
                    ("worker", "key_fingerprint"),
                )
            },
        ),
        (
            _("AgentStation's response"),
            {"fields": ((_HTTP_STATUS, "retry_after"), "error", "message", columns.response())},
        ),
    )

    def find_words(self, asked: found.Asked) -> Q:
        return found.find_related(models.Attempt, asked, key="key_fingerprint")

    def list_links(self, row: models.Attempt) -> list[tuple[failures.Words, str]]:
        same_key = columns.list_url(models.Attempt, key=row.key_fingerprint)
        return [
            (_("Request"), columns.url_of(row.request)),
            *([(_("Attempts with this key"), same_key)] if row.key_fingerprint else []),
        ]

    def find_events(self, row: models.Attempt) -> dict[str, object]:
        return {"q": row.request.label}


@pages.register(models.LateResponse)
class LateResponseAdmin(readonly.ReadOnlyAdmin):
    """What came back after the deadline."""

    list_display = (
        columns.name(label=_("late response")),
        columns.moment("came_at", label=_("came")),
        columns.row_link("attempt"),
        columns.row_link("attempt__request"),
        "outcome",
        _HTTP_STATUS,
        columns.failure(),
        columns.short_text("error", longest=60),
        columns.short_text("message", longest=60),
    )
    list_select_related = ("attempt__request__requester",)
    list_filter = ("outcome", filters.FailureFilter, ("came_at", filters.TimeFilter))
    search_fields = ("error", "message")
    search_help_text = _(
        "R-1042 finds by the request's number; words find the late responses of requests that have all of them in a "
        "note, an error, a workspace's name or an ID."
    )
    number_lookup = "attempt__request_id"
    deferred = ("response", "attempt__response")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    (columns.row_link("attempt"), columns.row_link("attempt__request")),
                    ("outcome", columns.failure()),
                    columns.moment("came_at"),
                )
            },
        ),
        (_("AgentStation's response"), {"fields": (_HTTP_STATUS, "error", "message", columns.response())}),
    )

    def find_words(self, asked: found.Asked) -> Q:
        late = models.LateResponse.objects.filter(attempt__request__in=found.find_by_words(asked))
        return found.among(found.list_ids(late, asked.part))

    def find_events(self, row: models.LateResponse) -> dict[str, object]:
        return {"q": row.attempt.request.label}
