"""What the form of a request offers to a person: types, and their own workspaces with what is in them."""

from operator import attrgetter

from portal import models
from portal.views.components import workspace_use

_MOST = 100  # workspaces


def sort_types(offered: list[models.WorkstationType]) -> list[models.WorkstationType]:
    """In the contract's order, others after them."""
    order = models.Request.Type.values
    return sorted(offered, key=lambda one: order.index(one.name) if one.name in order else len(order))


def read_workspaces(*, user: models.User, account: models.Account) -> list[models.Workspace]:
    """The newest, by their last use."""
    own = models.Workspace.objects.filter(owner=user, account=account).defer("raw")
    newest = workspace_use.annotate_use(own).order_by("-id")[:_MOST]
    return sorted(newest, key=attrgetter("last_at"), reverse=True)
