"""What the form of a request offers to a person: types, and their own workspaces with what is in them."""

from dataclasses import dataclass
from operator import attrgetter

from portal import models
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
    last = models.Request.objects.filter(requester=user).order_by("-id").values_list("type", flat=True)[:_RECENT]
    used = {name: place for place, name in reversed(list(enumerate(last)))}
    own = models.Workspace.objects.filter(owner=user, account=account).defer("raw")
    newest = use.annotate_use(own).order_by("-id")[:_MOST]
    return Choices(
        types=sorted(offered, key=lambda one: used.get(one.name, _RECENT)),
        workspaces=sorted(newest, key=attrgetter("last_at"), reverse=True),
        usual_time=usual.read_usual_time(account=account),
    )
