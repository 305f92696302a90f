"""Which connections a workstation may have: by what its type has installed, and by what AgentStation has refused."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from portal import models

Kind = models.Connection.Kind


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A kind of connection that a workstation may have. `refusal`: AgentStation has refused it, in these words."""

    kind: Kind
    refusal: str = ""


def list_offers(*, workstation: models.Workstation) -> list[Offer]:
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
    return workstation.is_live and workstation.release_requested_at is None and not workstation.is_nameless
