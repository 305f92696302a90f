"""What the form of a request offers to a person: types, and their own workspaces with what is in them."""

from dataclasses import dataclass
from operator import attrgetter

from django.db.models import BigIntegerField, QuerySet

from portal import models
from portal.models.compiled import compiled
from portal.services.reports import usual
from portal.views.components import use

_MOST = 100  # workspaces


@dataclass(frozen=True, kw_only=True)
class Choices:
    """`usual_time` in seconds, where it is known."""

    types: list[models.WorkstationType]
    workspaces: list[models.Workspace]
    usual_time: float | None


def read_choices(*, user: models.User, account: models.Account, offered: list[models.WorkstationType]) -> Choices:
    """The types in the contract's order, others after them; workspaces by their last use. Two queries."""
    order = models.Request.Type.values
    newest = _read_newest(user_id=user.pk, account_id=account.pk)
    return Choices(
        types=sorted(offered, key=lambda one: order.index(one.name) if one.name in order else len(order)),
        workspaces=sorted(newest, key=attrgetter("last_at"), reverse=True),
        usual_time=usual.read_usual_time(account=account),
    )


@compiled(user_id=BigIntegerField(), account_id=BigIntegerField())
def _read_newest(*, user_id: int, account_id: int) -> QuerySet[models.Workspace]:
    own = models.Workspace.objects.filter(owner=user_id, account=account_id).defer("raw")
    return use.annotate_use(own).order_by("-id")[:_MOST]
