"""What a team would have otherwise: Django's admin and Paginator, over the same tables and behind the same middleware.

Written as a sensible developer would: related rows are joined, the columns that matter are filters, 50 rows a page.
"""

from functools import cache
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from portal import models, urls

TEMPLATE = """<!doctype html><title>Requests</title>
<form>{% for name, value in query.items %}<input name="{{ name }}" value="{{ value }}">{% endfor %}</form>
<p>{{ page.paginator.count }} requests</p>
<table><tr><th>Number<th>Created<th>Person<th>Type<th>Workspace<th>Status<th>Failure<th>Note</tr>
{% for row in page %}<tr><td>R-{{ row.pk }}<td>{{ row.created_at }}<td>{{ row.requester }}<td>{{ row.get_type_display }}
<td>{{ row.workspace_uid }}<td>{{ row.get_status_display }}<td>{{ row.failure }}<td>{{ row.note }}</tr>{% endfor %}
</table>
{% for number in numbers %}<a href="?page={{ number }}">{{ number }}</a>{% endfor %}"""


def show_requests(request: HttpRequest) -> HttpResponse:
    """The history, a page at a time."""
    assert request.user.is_authenticated
    rows = models.Request.objects.visible_to(request.user).select_related("requester")
    order = "created_at" if request.GET.get("sort") == "oldest" else "-created_at"
    paginator = Paginator(_filter(rows, request.GET).order_by(order), 50)
    page = paginator.get_page(request.GET.get("page"))
    numbers = paginator.get_elided_page_range(page.number)
    return HttpResponse(_read_template().render({"page": page, "numbers": numbers, "query": request.GET}, request))


@cache
def _read_template() -> Any:
    """Read once, as a template in a file is."""
    return engines["django"].from_string(TEMPLATE)


def _filter(rows: "QuerySet[Any]", query: Any) -> "QuerySet[Any]":
    fields = {
        "status": "status",
        "type": "type",
        "failure": "failure",
        "person": "requester__username",
        "since": "created_at__date__gte",
        "until": "created_at__date__lte",
    }
    rows = rows.filter(**{lookup: query[name] for name, lookup in fields.items() if query.get(name)})
    if query.get("unknown"):
        rows = rows.filter(attempts__outcome="UNKNOWN").distinct()
    for word in query.get("q", "").split():
        rows = rows.filter(
            Q(note__icontains=word)
            | Q(workspace_uid__icontains=word)
            | Q(requester__username__icontains=word)
            | Q(workstation__uid__icontains=word)
        )
    return rows


class RequestAdmin(admin.ModelAdmin):
    list_display = ("id", "created_at", "requester", "type", "workspace_uid", "status", "failure", "attempt_count")
    list_select_related = ("requester",)
    list_filter = ("status", "type", "failure", "created_at")
    search_fields = ("note", "workspace_uid", "requester__username", "workstation__uid")
    date_hierarchy = "created_at"
    list_per_page = 50


class AttemptAdmin(admin.ModelAdmin):
    list_display = ("id", "request", "claimed_at", "ended_at", "outcome", "http_status", "failure", "message")
    list_select_related = ("request",)
    list_filter = ("outcome", "failure", "claimed_at")
    search_fields = ("message", "error", "request__requester__username")
    list_per_page = 50


class EventAdmin(admin.ModelAdmin):
    list_display = ("id", "at", "actor_name", "verb", "target", "request_number", "reason")
    list_filter = ("verb", "at")
    search_fields = ("actor_name", "verb", "target", "reason")
    list_per_page = 50


class WorkstationAdmin(admin.ModelAdmin):
    list_display = ("uid", "type", "status", "request", "created_at", "ended_at")
    list_select_related = ("request",)
    list_filter = ("status", "type")
    search_fields = ("uid", "request__requester__username")
    list_per_page = 50


class PlainSite(admin.AdminSite):
    """Open to whom the portal's own is open, so that the same person measures both."""

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("portal.see_all")


site = PlainSite(name="plain")
site.register(models.Request, RequestAdmin)
site.register(models.Attempt, AttemptAdmin)
site.register(models.Event, EventAdmin)
site.register(models.Workstation, WorkstationAdmin)

handler500 = urls.handler500
urlpatterns = [
    path("plain/requests/", show_requests),
    path("plain/admin/", site.urls),
    *urls.urlpatterns,
]
