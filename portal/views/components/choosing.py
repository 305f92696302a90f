"""What the form of a request offers to a person: types, and their own workspaces with what is in them."""

from dataclasses import dataclass
from operator import attrgetter

from portal import models
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
    own = models.Workspace.objects.filter(owner=user, account=account).defer("raw")
    newest = use.annotate_use(own).order_by("-id")[:_MOST]
    return Choices(
        types=sorted(offered, key=lambda one: order.index(one.name) if one.name in order else len(order)),
        workspaces=sorted(newest, key=attrgetter("last_at"), reverse=True),
        usual_time=usual.read_usual_time(account=account),
    )
