"""Who may open what of a workstation: its owner, whom the owner lets in, and operators, who say why."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from portal import models

Kind = models.Connection.Kind


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a person may open. `is_view_only` binds their browser alone: the address is the same as for work."""

    kinds: tuple[models.Connection.Kind, ...]
    is_view_only: bool = False
    needs_reason: bool = False

    def allows(self, connection: models.Connection) -> bool:
        """Whether a connection that was opened may stand: no longer one for work where only looking is left, nor one
        without a reason where that has to be given."""
        has_reason = bool(connection.reason) or not self.needs_reason
        return connection.kind in self.kinds and self.is_view_only <= connection.is_view_only and has_reason


def list_openable(*, person: models.User) -> QuerySet[models.Workstation]:
    """Workstations in which the person may find something to open; `find_access` says what."""
    rows = models.Workstation.objects.filter(account__retired_at=None, request__isnull=False)
    if person.has_perm("portal.see_all"):
        return rows
    shared = models.Share.objects.of(person)
    return rows.filter(Q(request__requester=person) | Q(shares__in=shared)).distinct()


def find_access(*, person: models.User, workstation: models.Workstation) -> Access | None:
    """None where the workstation is not there for the person. An operator gives a reason even where its owner lets them
    in."""
    if workstation.request is None or not person.is_active or not person.has_module_perms("portal"):
        return None
    if workstation.request.requester_id == person.pk:
        return Access(kinds=tuple(Kind))
    if person.has_perm("portal.close_request"):
        return Access(kinds=tuple(Kind), needs_reason=True)
    share = models.Share.objects.of(person).filter(workstation=workstation).first()
    if share is None or not workstation.request.requester.is_active:
        return None
    kinds = (kind for kind in models.Connection.HELD if kind.way.is_for_looking or not share.is_for_looking)
    return Access(kinds=tuple(kinds), is_view_only=share.is_for_looking)
