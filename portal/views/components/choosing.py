"""What the form of a request offers to a person: types, and their own workspaces with what is in them."""

from dataclasses import dataclass
from operator import attrgetter

from django.db.models import BigIntegerField, QuerySet

from portal import models
from portal.models.compiled import compiled
from portal.services.reports import usual
from portal.views.components import use

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
    last = _read_last_types(user_id=user.pk)
    used = {name: place for place, name in reversed(list(enumerate(last)))}
    newest = _read_newest(user_id=user.pk, account_id=account.pk)
    return Choices(
        types=sorted(offered, key=lambda one: used.get(one.name, _RECENT)),
        workspaces=sorted(newest, key=attrgetter("last_at"), reverse=True),
        usual_time=usual.read_usual_time(account=account),
    )


@compiled(user_id=BigIntegerField())
def _read_last_types(*, user_id: int) -> QuerySet[models.Request, str]:
    return models.Request.objects.filter(requester=user_id).order_by("-id").values_list("type", flat=True)[:_RECENT]


@compiled(user_id=BigIntegerField(), account_id=BigIntegerField())
def _read_newest(*, user_id: int, account_id: int) -> QuerySet[models.Workspace]:
    own = models.Workspace.objects.filter(owner=user_id, account=account_id).defer("raw")
    return use.annotate_use(own).order_by("-id")[:_MOST]
