"""Lists of the admin as files: every row that the list's filters and search find, not only the pages that it shows."""

from functools import partial
from typing import Any, ClassVar

from django.contrib.admin.views.main import ORDER_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal.admin.base import readonly
from portal.services.search import exporting, finding
from portal.web.streams import limit_streams

_NAMES = {"csv": _("Download as CSV"), "jsonl": _("Download as JSON Lines")}


class ExportAdmin(readonly.ReadOnlyAdmin):
    """Two buttons beside the list, for models that exporting knows by `export_kind`."""

    export_kind: ClassVar[str]

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(require_POST(limit_streams(self.export)))
        return [
            *(path(f"export.{form}", view, {"form": form}, f"{name}_{form}") for form in _NAMES),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        query = request.GET.urlencode()
        links = [(_NAMES[form], f"export.{form}{f'?{query}' if query else ''}") for form in _NAMES]
        return super().changelist_view(request, {**(extra_context or {}), "exports": links})

    def export(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """The file, written while it is sent; taking it is recorded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pieces = exporting.export_rows(
            actor=request.user,  # type: ignore[arg-type]  # admin_view lets nobody in who is not signed in
            kind=self.export_kind,
            form=form,
            asked={name: str(value) for name, value in request.GET.items()},
            find=partial(_list_ids, self.get_changelist_instance(request).queryset),
            newest_first=request.GET.get(ORDER_VAR) != "0",
        )
        headers = {"Content-Disposition": f'attachment; filename="{self.export_kind}.{form}"'}
        return StreamingHttpResponse(pieces, content_type=exporting.CONTENT_TYPES[form], headers=headers)


def _list_ids(rows: QuerySet[Any], part: finding.Slice) -> list[int]:
    rows = rows.filter(pk__gt=part.above, pk__lt=part.below).order_by(part.order)
    return list(rows.values_list("pk", flat=True)[: part.limit])
