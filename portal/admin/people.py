"""People and groups: superusers edit them, auditors and operators see who is who."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.admin.base import columns, history
from portal.services.people import membership, sessions

_ABOUT_GROUPS = _(
    "Members request workstations, and see and manage their own. Auditors see everything and change nothing. "
    "Operators request workstations, see everything, resume sending and resolve what the portal can't. "
    "People are never deleted: their requests are kept, with their names. Clear “Active” to lock somebody out."
)
_SELDOM = _("Beside those of the groups. Seldom needed.")
_TIMES = tuple(columns.find_column(models.User, name, is_list=False) for name in ("last_login", "date_joined"))


def _name_groups(person: models.User) -> str:
    return ", ".join(sorted(group.name for group in person.groups.all())) or columns.NOTHING


def _ask_again(request: HttpRequest) -> HttpResponse | None:
    """To the page that asks for the password, and back; None for who has typed it, and for who may only look."""
    if not request.user.is_superuser or sessions.has_proved(session=request.session):
        return None
    if request.method == "POST":
        messages.warning(request, _("Nothing was saved: you had to confirm first that it is you."))
    query = urlencode({"next": request.get_full_path()})
    return redirect(f"{reverse('confirm')}?{query}")


class EditableAdmin(history.AuditedAdmin):
    """Every change is an event, beside Django's own log, which an administrator could edit.

    Whoever makes one has typed the password a few minutes ago: an open browser alone is not enough.
    """

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    has_add_permission = has_delete_permission = has_change_permission

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _ask_again(request) or super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _ask_again(request) or super().delete_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The list itself is only looked at; its actions are not."""
        asked = _ask_again(request) if request.method == "POST" else None
        return asked or super().changelist_view(request, *args, **kwargs)

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


@admin.register(models.User)
class UserAdmin(EditableAdmin, auth_admin.UserAdmin):  # type: ignore[type-arg]
    """A person. `is_staff` is not shown: it means nothing here."""

    list_display = (
        *("username", columns.make_column(_name_groups, field="groups", label=_("groups"))),
        *("first_name", "last_name", "email", "is_active", "is_superuser", _TIMES[0]),
    )
    list_filter = ("is_active", "is_superuser", "groups")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username", "password")}),
        (_("Personal info"), {"fields": (("first_name", "last_name"), "email")}),
        (_("Permissions"), {"fields": ("is_active", "is_superuser", "groups"), "description": _ABOUT_GROUPS}),
        (_("Single permissions"), {"fields": ("user_permissions",), "classes": ("collapse",), "description": _SELDOM}),
        (_("Important dates"), {"fields": _TIMES}),
    )
    readonly_fields = _TIMES
    linked_lists = {models.Request: "requester", models.Workspace: "owner"}

    def get_fieldsets(self, request: HttpRequest, obj: models.User | None = None) -> Any:
        """Without the password, hashed or not, for whoever may not change it."""
        first, *others = self.fieldsets
        return [first if request.user.is_superuser else (None, {"fields": ("username",)}), *others]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("portal.see_all")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """To the page of the portal where people are added: they choose their passwords by a link."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect("person_add")

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Django's page, so that the password is not set without its event."""
        if (asked := _ask_again(request)) is not None:
            return asked
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def find_events(self, row: models.User) -> dict[str, object]:
        """What they did, and what was done to them."""
        return {"q": f'"{row.username}"'}


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(EditableAdmin, auth_admin.GroupAdmin):
    has_view_permission = has_module_permission = EditableAdmin.has_change_permission
