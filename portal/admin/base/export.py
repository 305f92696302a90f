"""Lists of the admin as files: every row that the list's filters and search find, not only the pages that it shows."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal.admin.base import changelist
from portal.services.search import exporting
from portal.web.streams import limit_streams


class ExportMixin:
    """Two buttons beside the list, for models that exporting knows by `export_kind`."""

    export_kind: ClassVar[str]
    model: Any
    admin_site: Any
    get_changelist_instance: Callable[[HttpRequest], ChangeList]

    def get_urls(self) -> list[Any]:
        name = f"{self.model._meta.app_label}_{self.model._meta.model_name}_export"
        view = self.admin_site.admin_view(require_POST(limit_streams(self.export)))
        urls: list[Any] = super().get_urls()  # type: ignore[misc]
        return [*(path(f"export.{form}", view, {"form": form}, f"{name}_{form}") for form in _NAMES), *urls]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        query = request.GET.urlencode()
        links = [(_NAMES[form], f"export.{form}{f'?{query}' if query else ''}") for form in _NAMES]
        return super().changelist_view(request, {**(extra_context or {}), "exports": links})  # type: ignore[misc]

    def export(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """The file, written while it is sent; taking it is recorded."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        rows = self.get_changelist_instance(request).queryset
        pieces = exporting.export_rows(
            actor=request.user,  # type: ignore[arg-type]  # admin_view lets nobody in who is not signed in
            kind=self.export_kind,
            form=form,
            asked={name: str(value) for name, value in request.GET.items()},
            find=partial(changelist.list_ids, rows),
            newest_first=request.GET.get(ORDER_VAR) != "0",
        )
        headers = {"Content-Disposition": f'attachment; filename="{self.export_kind}.{form}"'}
        return StreamingHttpResponse(pieces, content_type=exporting.CONTENT_TYPES[form], headers=headers)


_NAMES = {"csv": _("Download as CSV"), "jsonl": _("Download as JSON Lines")}
