"""What the form of a request offers to a person: types, and their own workspaces with what is in them."""

from dataclasses import dataclass
from operator import attrgetter

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from portal import models
from portal.services.reports import usual

_MOST = 100  # workspaces
_RECENT = 30  # requests by which types are ordered


@dataclass(frozen=True, kw_only=True)
class Choices:
    """`usual_time` in seconds, where it is known."""

    types: list[models.WorkstationType]
    workspaces: list[models.Workspace]
    usual_time: float | None


def read_choices(*, user: models.User, account: models.Account, offered: list[models.WorkstationType]) -> Choices:
    """The types that are offered, what the person used last first; the workspaces likewise. Three queries."""
    last = models.Request.objects.filter(requester=user).order_by("-id").values_list("type", flat=True)[:_RECENT]
    used = {name: place for place, name in reversed(list(enumerate(last)))}
    return Choices(
        types=sorted(offered, key=lambda one: used.get(one.name, _RECENT)),
        workspaces=_read_workspaces(user=user, account=account),
        usual_time=usual.read_usual_time(account=account),
    )


def _read_workspaces(*, user: models.User, account: models.Account) -> list[models.Workspace]:
    """The newest, each with its `file_count`, `last_type` and `last_at`."""
    files = models.File.objects.filter(workspace=OuterRef("pk")).order_by().values("workspace")
    ran = models.Workstation.objects.filter(workspace=OuterRef("pk")).order_by("-id")
    rows = models.Workspace.objects.filter(owner=user, account=account).annotate(
        file_count=Coalesce(Subquery(files.values(number=Count("pk"))), 0),
        last_type=Subquery(ran.values("type")[:1]),
        last_at=Coalesce(Subquery(ran.values("first_seen_at")[:1]), "first_seen_at"),
    )
    return sorted(rows.defer("raw").order_by("-id")[:_MOST], key=attrgetter("last_at"), reverse=True)
