"""Whose a workstation or a workspace was, by what the log tells: not by what a row said for a moment."""

from django.conf import settings
from django.db.models import QuerySet

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, fold, reading, rows, verifyrows

_KIND, _ROW_ID, _AS_OF, _COLUMNS = (
    canonical.CHANGE.names.index(name) for name in ("kind", "row_id", "as_of", "columns")
)


def concerns_anothers(*, event: reading.StoredEvent, actor: int, earlier: int) -> bool:
    """Whether the event shares, releases, names or asks for what was somebody else's, and never its actor's since that
    earlier event.

    What the log gives to nobody, or no longer, was nobody's. What is the actor's now is not looked up in the log: a row
    that is not as the log says is a finding by itself.
    """
    span = (earlier, event.id)
    spaces = _list_workspaces(event).exclude(owner=None).exclude(owner=actor)
    workstations = _list_workstations(event).exclude(request__requester=actor)
    return any(not {actor, None} & set(_list_workspace_owners(space.pk, span)) for space in spaces) or any(
        actor not in owners and owners[-1] is not None
        for owners in (_list_workstation_owners(workstation.pk, span) for workstation in workstations)
    )


def _list_workspaces(event: reading.StoredEvent) -> QuerySet[models.Workspace]:
    """The one that a new request asks for, or that gets a name."""
    if event.read("verb") == Verb.NAME_WORKSPACE:
        return models.Workspace.objects.filter(pk__in=_list_changed(event, "workspace"))
    if event.read("verb") != Verb.SUBMIT:
        return models.Workspace.objects.none()
    (asked,) = (change[_COLUMNS] for change in event.changes)
    (_, account), (_, uid) = asked["account_id"], asked["workspace_uid"]
    spaces = models.Workspace.objects.filter(account=account, uid=uid)
    # Everybody's at the sandbox, which the portal may have used before; without a name it is a new one.
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


def _list_workspace_owners(workspace: int, span: tuple[int, int]) -> list[object]:
    return [state.get("owner_id") for state in _list_states("workspace", workspace, span)]


def _list_workstation_owners(workstation: int, span: tuple[int, int]) -> list[object]:
    """Those who asked for it."""
    made_for = [state.get("request_id") for state in _list_states("workstation", workstation, span)]
    return [
        _list_states("request", request, span)[-1].get("requester_id") if isinstance(request, int) else None
        for request in made_for
    ]


def _list_states(kind: str, number: int, span: tuple[int, int]) -> list[rows.Columns]:
    """The row as the log had left it before the first of these two events, and after each one until the second."""
    told = verifyrows.read_changes(kind=rows.KINDS[kind], ids=[number]).get(number, [])
    first, last = span
    moments = sorted({first, *(change[_AS_OF] + 1 for change in told if first <= change[_AS_OF] < last)})
    return [
        fold.Fold(kind=rows.KINDS[kind]).take_all(change for change in told if change[_AS_OF] < moment).columns
        for moment in moments
    ]
