"""Filters by the type of workstation. Which types there are the provider says; its lists are short."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import filters
from portal.services.mirrors import types


class _TypeChoices(filters.FixedChoices):
    """The types of the provider's contract and lists, and the one that a link has chosen."""

    title = _("type")

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, failures.Words], ...]:
        value = self.value()
        names = dict.fromkeys([*types.list_known_types(), *([value] if value else [])])
        return tuple((name, models.label_type(name)) for name in names)


class RequestTypeFilter(_TypeChoices):
    """Types that people asked for."""

    parameter_name = "type__exact"


class WorkstationTypeFilter(_TypeChoices, filters.ProviderChoices):
    """Types that the provider named."""

    parameter_name = "type"
