"""Who may open what of a workstation (its owner, whom the owner lets in, operators who say why), and what it offers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from portal import models

Kind = models.Connection.Kind


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a person may open. `is_view_only` binds their browser alone: the address is the same as for work."""

    kinds: tuple[Kind, ...]
    is_view_only: bool = False
    needs_reason: bool = False

    def allows(self, connection: models.Connection) -> bool:
        """Whether a connection that was opened may stand: no longer one for work where only looking is left, nor one
        without a reason where that has to be given."""
        has_reason = bool(connection.reason) or not self.needs_reason
        return connection.kind in self.kinds and self.is_view_only <= connection.is_view_only and has_reason


def may_act(*, person: models.User, workstation: models.Workstation) -> bool:
    """Whether the person may say that it has ended; of what somebody owns also release it, or choose when it ends."""
    return workstation.owner_id == person.pk or person.decides


def may_end(*, person: models.User, workstation: models.Workstation) -> bool:
    """Orphans are given back on the operators' page."""
    return workstation.owner_id is not None and may_act(person=person, workstation=workstation)


def list_openable(*, person: models.User) -> QuerySet[models.Workstation]:
    """Workstations in which the person may find something to open; `find_access` says what."""
    rows = models.Workstation.objects.filter(account__retired_at=None, request__isnull=False)
    if person.sees_all:
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
    if person.decides:
        return Access(kinds=tuple(Kind), needs_reason=True)
    share = models.Share.objects.of(person).filter(workstation=workstation).first()
    if share is None or not workstation.request.requester.is_active:
        return None
    kinds = (kind for kind in models.Connection.HELD if kind.way.is_for_looking or not share.is_for_looking)
    return Access(kinds=tuple(kinds), is_view_only=share.is_for_looking)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A kind of connection that a workstation may have. `refusal`: AgentStation has refused it, in these words."""

    kind: Kind
    refusal: str = ""


def list_offers(*, workstation: models.Workstation) -> list[Offer]:
    """The ways into one workstation."""
    return list_all(workstations=[workstation])[workstation.pk]


def list_all(*, workstations: Collection[models.Workstation]) -> dict[int, list[Offer]]:
    """What may be opened now, by workstation. One query."""
    software = _read_software({row.type for row in workstations if is_open(workstation=row)})
    return {row.pk: _choose(row, software[row.account_id, row.type]) for row in workstations}


def _read_software(types: Collection[str]) -> Mapping[tuple[int, str], set[str]]:
    found: dict[tuple[int, str], set[str]] = defaultdict(set)
    if types:
        described = models.WorkstationType.objects.filter(name__in=types)
        for account, name, words in described.values_list("account", "name", "software"):
            found[account, name] |= {str(word).lower() for word in words}
    return found


def _choose(workstation: models.Workstation, software: set[str]) -> list[Offer]:
    """Of some types AgentStation lists no software: these may have it all."""
    if not is_open(workstation=workstation):
        return []
    return [
        Offer(kind=kind, refusal=workstation.refused_connections.get(kind, ""))
        for kind in Kind
        if not software or not kind.way.software or software.intersection(kind.way.software)
    ]


def is_open(*, workstation: models.Workstation) -> bool:
    """Whether anybody could be let in: it lives and is not being released."""
    return workstation.is_live and workstation.release_requested_at is None and not workstation.is_nameless
