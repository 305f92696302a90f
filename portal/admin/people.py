"""People and groups: superusers edit them, auditors and operators see who is who."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, history, readonly
from portal.services.people import membership
from portal.web import confirming

_TIMES = tuple(columns.find_column(models.User, name, is_list=False) for name in ("last_login", "date_joined"))


_GROUPS = columns.make_column(
    lambda person: ", ".join(sorted(group.name for group in person.groups.all())) or columns.NOTHING,
    field="groups",
    label=_("groups"),
)


def _ask_again(request: HttpRequest) -> HttpResponse | None:
    """Of who may only look nothing is asked."""
    return confirming.ask_again(request, page=request.get_full_path()) if request.user.is_superuser else None


@admin.register(models.User)
class UserAdmin(readonly.ReadOnlyAdmin):
    """A person, who is changed in /people/. `is_staff` is not shown: it means nothing here."""

    list_display = ("username", _GROUPS, "first_name", "last_name", "email", "is_active", "is_superuser", _TIMES[0])
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    fields = (
        "username",
        ("first_name", "last_name"),
        "email",
        ("is_active", "is_superuser"),
        (_GROUPS, "running_limit"),
        _TIMES,
    )
    linked_lists = {models.Request: "requester", models.Workspace: "owner"}
    portal_page = "person_detail"
    events_by = {"q": '"{0.username}"'}  # what they did, and what was done to them

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("portal.see_all")


admin.site.unregister(Group)  # Django's own page


@admin.register(Group)
class GroupAdmin(history.AuditedAdmin, auth_admin.GroupAdmin):
    """Every change is an event, beside Django's own log, which an administrator could edit.

    Whoever makes one has typed the password a few minutes ago: an open browser alone is not enough.
    """

    actions = None  # deleting several at once would have to ask for the password too

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    has_add_permission = has_delete_permission = has_change_permission
    has_view_permission = has_module_permission = has_change_permission

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _ask_again(request) or super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _ask_again(request) or super().delete_view(request, *args, **kwargs)

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        row = super().get_object(request, *args, **kwargs)
        if row is not None and request.method == "POST":
            row.described_before = membership.describe(target=row)
        return row

    # Django calls these in the transaction of the change: of rows that are there already, or still.

    def log_addition(self, request: Any, obj: Any, message: Any) -> Any:
        membership.record_addition(actor=request.user, target=obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: Any, obj: Any, message: Any) -> Any:
        membership.record_change(actor=request.user, target=obj, before=obj.described_before)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: Any, queryset: Any) -> Any:
        for row in queryset:
            membership.record_deletion(actor=request.user, target=row)
        return super().log_deletions(request, queryset)
