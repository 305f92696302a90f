"""Who may open what of a workstation: its owner, whom the owner lets in, and operators, who say why."""

from dataclasses import dataclass

from portal import models
from portal.services.connections import sharing

Kind = models.Connection.Kind
_LOOKING = (Kind.DESKTOP, Kind.LOG)


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a person may open of a workstation, and how."""

    kinds: tuple[models.Connection.Kind, ...]
    is_view_only: bool = False
    needs_reason: bool = False

    def allows(self, connection: models.Connection) -> bool:
        """Whether a connection that was opened may stand: no longer one for work where only looking is left."""
        return connection.kind in self.kinds and self.is_view_only <= connection.is_view_only


def find_access(*, person: models.User, workstation: models.Workstation) -> Access | None:
    """What the person may open; None: the workstation is not there for them."""
    if workstation.request is None:
        return None
    if workstation.request.requester_id == person.pk:
        return Access(kinds=tuple(Kind))
    if share := sharing.find_share(person=person, workstation=workstation):
        is_view_only = share.is_for_looking
        return Access(kinds=_LOOKING if is_view_only else models.Connection.HELD, is_view_only=is_view_only)
    if person.has_perm("portal.close_request"):
        return Access(kinds=tuple(Kind), needs_reason=True)
    return None
