"""What an address may ask of a list: what the list itself offers, and nothing that somebody made up."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.db.models import QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

_LED_HERE = f"{ERROR_FLAG}=1"


class OfferedChangeList(ChangeList):
    """A list by its own filters and its own columns.

    Django takes every lookup of every field of the model: a `note__regex` can keep a database busy for minutes.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        """Those of the list's filters that the address chooses.

        Raises DisallowedModelAdminLookup for another lookup of a field, IncorrectLookupParameters for what is no field.
        """
        found: Any = super().get_filters(request)
        for name in found[2]:  # what no filter has taken for its own
            if self._is_of_field(name):
                raise DisallowedModelAdminLookup(f"Filtering by {name} not allowed")
            raise IncorrectLookupParameters
        return found

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """By columns whose heads can be clicked; others are passed over, as Django does with numbers of no column."""
        offered = [part for part in self.params.pop(ORDER_VAR, "").split(".") if self._is_sortable(part)]
        if offered:
            self.params[ORDER_VAR] = ".".join(offered)
        return super().get_ordering(request, queryset)

    def _is_of_field(self, name: str) -> bool:
        first = name.split(LOOKUP_SEP)[0]
        try:
            return first == "pk" or bool(self.lookup_opts.get_field(first))
        except FieldDoesNotExist:
            return False

    def _is_sortable(self, part: str) -> bool:
        number = part.removeprefix("-")
        if not (number.isascii() and number.isdigit() and len(number) < 4 and int(number) < len(self.list_display)):
            return False
        return self.list_display[int(number)] in (self.sortable_by or ())


class OfferedMixin:
    """Pages of a model whose list is such a one."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OfferedChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if ERROR_FLAG in request.GET:  # where Django leads whoever asked for what there is not
            if request.GET.urlencode() != _LED_HERE:  # with more it would take the database for broken
                return redirect(f"{request.path}?{_LED_HERE}")
            words = _("The address has a filter or a page that doesn't exist. Everything is shown.")
            messages.warning(request, words)
        return super().changelist_view(request, extra_context)  # type: ignore[misc]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list; a filter that no database takes is as wrong as any other (the search refuses NUL by itself)."""
        asked = ((name, *values) for name, values in request.GET.lists() if name != SEARCH_VAR)
        if any("\x00" in text for texts in asked for text in texts):
            raise IncorrectLookupParameters
        shown: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
        return shown
