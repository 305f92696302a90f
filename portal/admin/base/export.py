"""Lists of the admin as files: every row that the list's filters and search find, not only the pages that it shows."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal import models
from portal.admin.base import columns, found
from portal.services.search import exporting, finding
from portal.streams import limit_streams


class ExportMixin:
    """Two buttons beside the list, for models that exporting knows by `export_kind`.

    `find_ids`: those of the rows of a part that a search finds, in order; None where the list's filters are enough.
    """

    export_kind: ClassVar[str]
    find_ids: Callable[[found.Asked], list[int] | None]
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
        try:
            find = self._read_list(request)
        except IncorrectLookupParameters:
            return redirect(columns.list_url(self.model))
        pieces = exporting.export_rows(
            actor=request.user,  # type: ignore[arg-type]  # admin_view lets nobody in who is not signed in
            kind=self.export_kind,
            form=form,
            asked={name: str(value) for name, value in request.GET.items()},
            find=find,
            newest_first=found.is_newest_first(request.GET),
        )
        headers = {"Content-Disposition": f'attachment; filename="{self.export_kind}.{form}"'}
        return StreamingHttpResponse(pieces, content_type=exporting.CONTENT_TYPES[form], headers=headers)

    def search(self, asked: found.Asked) -> Q:
        ids = self.find_ids(asked)
        return Q() if ids is None else found.among(ids)

    def _read_list(self, request: HttpRequest) -> exporting.Find:
        """How a part of what the list has is found."""
        rows = self.get_changelist_instance(request)
        if "\x00" in request.GET.get(SEARCH_VAR, ""):  # the page of the list says that it is not looked for
            raise IncorrectLookupParameters
        if models.read_number(rows.query) is not None or rows.queryset.query.is_empty():  # all that is found is there
            return partial(found.list_ids, rows.queryset)
        asked = found.read_search(request.GET, rows.query)
        rows.query = ""  # what is looked for is found part by part
        return partial(self._find, rows.get_queryset(request), asked)

    def _find(self, rows: QuerySet[Any], asked: found.Asked, part: finding.Slice) -> list[int]:
        """The ids of a part of what the list has.

        A search finds so many at a time: those that the list's filters leave of them may be none, with more behind.
        """
        while True:
            searched = self.find_ids(replace(asked, part=part))
            ids = found.list_ids(rows if searched is None else rows.filter(found.among(searched)), part)
            if ids or searched is None or len(searched) < part.limit:
                return ids
            last = searched[-1]
            part = replace(part, below=last) if part.newest_first else replace(part, above=last)


_NAMES = {"csv": _("Download as CSV"), "jsonl": _("Download as JSON Lines")}
