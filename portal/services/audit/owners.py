"""Whose a workstation or a workspace was, by what the log tells: not by what a row said for a moment."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import QuerySet

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, fold, reading, rows, verifyrows

_KIND, _ROW_ID, _AS_OF, _COLUMNS = (
    canonical.CHANGE.names.index(name) for name in ("kind", "row_id", "as_of", "columns")
)


def is_anothers(*, event: reading.StoredEvent, actor: int, earlier: int) -> bool:
    """Whether the event shares, releases or asks for what was somebody else's, as of it and of an earlier event.

    Where the log tells of no owner, or no longer, it was nobody's. What is the actor's now is not looked up in the log:
    a row that is not as the log says is a finding by itself.
    """
    if event.read("verb") == Verb.SUBMIT:
        spaces = _list_workspaces(event).exclude(owner=None).exclude(owner=actor)
        return any(
            not {actor, None} & {_find_user(space.pk, before) for before in (event.id, earlier)} for space in spaces
        )
    workstations = _list_workstations(event).exclude(request__requester=actor)
    return any(
        _find_owner(one.pk, event.id) not in (actor, None) and _find_owner(one.pk, earlier) != actor
        for one in workstations
    )


def _list_workspaces(event: reading.StoredEvent) -> QuerySet[models.Workspace]:
    """The one that a new request asks for."""
    asked = event.changes[0][_COLUMNS]
    (_, account), (_, uid) = asked["account_id"], asked["workspace_uid"]
    spaces = models.Workspace.objects.filter(account=account, uid=uid)
    # Everybody's at the sandbox, and unknown elsewhere; without a name it is a new one.
    return spaces.none() if not uid or uid in settings.SANDBOX_WORKSPACES else spaces


def _list_workstations(event: reading.StoredEvent) -> QuerySet[models.Workstation]:
    """Those that are shared, or no longer, or are released."""
    match event.read("verb"):
        case Verb.SHARE | Verb.END_SHARE:
            return models.Workstation.objects.filter(shares__in=_list_changed(event, "share"))
        case Verb.REQUEST_RELEASE | Verb.DECLARE_ENDED:
            return models.Workstation.objects.filter(pk__in=_list_changed(event, "workstation"))
        case _:
            return models.Workstation.objects.none()


def _list_changed(event: reading.StoredEvent, kind: str) -> list[int]:
    return [change[_ROW_ID] for change in event.changes if change[_KIND] == kind]


def _find_user(workspace: int, before: int) -> object:
    """Who was the first to use it."""
    return _read("workspace", workspace, before).get("owner_id")


def _find_owner(workstation: int, before: int) -> object:
    """Who asked for it."""
    request = _read("workstation", workstation, before).get("request_id")
    return _read("request", request, before).get("requester_id")


def _read(kind: str, number: object, before: int) -> rows.Columns:
    """The row as the log had left it before that event."""
    if not isinstance(number, int):
        return {}
    told: Iterable[canonical.Row] = verifyrows.read_changes(kind=rows.KINDS[kind], ids=[number]).get(number, ())
    return fold.Fold(kind=rows.KINDS[kind]).take_all(change for change in told if change[_AS_OF] < before).columns
