"""Lines of a list: a workstation, or a request for one, by its name, what it is, how long it lives, and the way in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from django.db.models import Max
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import forms, models
from portal.services.connections import access, ending
from portal.templatetags import rows, ui

_SOON = timedelta(minutes=30)
_States = models.Request.Status


@dataclass(frozen=True, kw_only=True)
class Line:
    """`life`: percent of its life that is left; None without an end. `ways`: the one that was used last comes first.
    `uid`: empty where no address can have it.

    `badge`: none where it runs as it should. `again`: what a form has to send for another one like it.
    """

    number: int
    name: str
    type: str
    link: str = ""
    facts: Sequence[str] = ()
    badge: ui.Badge | None = None
    left: str = ""
    life: int | None = None
    is_soon: bool = False
    ended_at: datetime | None = None
    people: Sequence[models.User] = ()
    uid: str = ""
    ways: Sequence[access.Kind] = ()
    is_own: bool = False
    may_release: bool = False
    may_cancel: bool = False
    again: Mapping[str, object] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return ui.request_label(self.number)

    @property
    def has_menu(self) -> bool:
        return self.is_own or len(self.ways) > 1


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A request that one press makes. `values`: what its form has to send."""

    name: str
    what: str
    values: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Uses:
    """How workstations are used: who is in each now, and by what kind of connection the reader was in last."""

    inside: Mapping[int, Sequence[models.User]]
    last: Mapping[int, str]
    offers: Mapping[int, Sequence[access.Offer]]

    def list_ways(self, workstation: models.Workstation, *, for_looking: bool = False) -> list[access.Kind]:
        kinds = [offer.kind for offer in self.offers[workstation.pk] if not offer.refusal]
        held = [kind for kind in kinds if kind.way.is_held and (kind.way.is_for_looking or not for_looking)]
        return sorted(held, key=lambda kind: kind != self.last.get(workstation.pk))


def read_uses(*, person: models.User, workstations: Sequence[models.Workstation]) -> Uses:
    """Three queries; none without workstations."""
    if not workstations:
        return Uses(inside={}, last={}, offers={})
    inside: dict[int, dict[int, models.User]] = {row.pk: {} for row in workstations}
    for one in ending.list_open(workstations=workstations):
        inside[one.workstation_id][one.person_id] = one.person
    opened = models.Connection.objects.filter(person=person, workstation__in=workstations)
    kinds = opened.values_list("workstation", "kind").annotate(newest=Max("pk")).order_by("newest")
    return Uses(
        inside={number: list(people.values()) for number, people in inside.items()},
        last={number: kind for number, kind, _newest in kinds},
        offers=access.list_all(workstations=workstations),
    )


def describe_request(portal_request: models.Request, *, usually: float | None) -> Line:
    """One that no workstation has yet."""
    is_awaited = portal_request.status in models.Request.AWAITED
    left = _("usually within %(time)s") % {"time": models.describe_duration(usually)} if usually and is_awaited else ""
    name = portal_request.note or models.label_type(portal_request.type)
    return Line(
        number=portal_request.pk,
        name=name,
        type=portal_request.type,
        link=reverse("request_detail", args=[portal_request.pk]),
        facts=_list_facts(portal_request.type, name, portal_request.workspace_name or portal_request.workspace_uid),
        badge=ui.find_badge(portal_request),
        left=left,
        is_own=True,
        may_cancel=portal_request.status == _States.QUEUED,
    )


def describe_workstation(workstation: models.Workstation, *, uses: Uses) -> Line:
    """One of the reader's own, with `file_count`."""
    count = vars(workstation)["file_count"]
    files = ngettext("%(count)d file", "%(count)d files", count) % {"count": count} if count else ""
    name = _name(workstation)
    return _describe(
        workstation,
        uses=uses,
        name=name,
        facts=_list_facts(workstation.type, name, files),
        link=_link(workstation),
        is_own=True,
        may_release=access.is_open(workstation=workstation),
    )


def describe_share(share: models.Share, *, uses: Uses) -> Line:
    """One that somebody else shares with the reader, who sees neither its note nor its files."""
    owner = share.workstation.request.requester.label if share.workstation.request else ""
    shared = _("shared by %(person)s") % {"person": owner}
    until = (
        _("until %(time)s") % {"time": timezone.localtime(share.until).strftime("%-d %b, %H:%M")} if share.until else ""
    )
    return _describe(
        share.workstation,
        uses=uses,
        for_looking=share.is_for_looking,
        name=models.label_type(share.workstation.type),
        facts=[shared, *filter(None, [until])],
    )


def _describe(workstation: models.Workstation, *, uses: Uses, for_looking: bool = False, **values: object) -> Line:
    badge = ui.find_badge(workstation)
    left, life, is_soon = _describe_life(workstation)
    has_address = bool(_link(workstation))
    return Line(
        number=workstation.request_id or 0,
        type=workstation.type,
        uid=workstation.uid if has_address else "",
        badge=None if badge == ui.RUNNING else badge,
        left=left,
        life=life,
        is_soon=is_soon,
        people=uses.inside[workstation.pk],
        ways=uses.list_ways(workstation, for_looking=for_looking) if has_address else (),
        **values,  # type: ignore[arg-type]
    )


def _describe_life(workstation: models.Workstation) -> tuple[str, int | None, bool]:
    if workstation.release_requested_at:
        return "", None, False
    if workstation.ends_at is None:
        return _("No end"), None, False
    left = workstation.ends_at - timezone.now()
    whole = workstation.ends_at - (workstation.created_at or workstation.first_seen_at)
    words = _("Unused, %(time)s left") if workstation.end_is_idle else _("%(time)s left")
    life = max(0, min(100, round(100 * left / whole))) if whole > timedelta(0) else 0
    return words % {"time": rows.describe_left(left)}, life, left < _SOON


def describe_ended(portal_request: models.Request, *, running: Mapping[int, models.Workstation]) -> Line:
    """One that is over, and how to start another like it, unless one runs in its workspace: `running`, by that."""
    workstation = portal_request.workstation
    workspace = workstation.workspace
    in_its_place = running.get(workspace.pk) if workspace else None
    name = portal_request.note or _name(workstation)
    place = _name_workspace(workstation) or (workspace.uid if workspace else "")
    again = forms.RequestForm.repeat(portal_request) | {"submission": uuid4()}
    if workspace:
        again |= {"workspace_id": workspace.uid, "workspace_name": ""}
    return Line(
        number=portal_request.pk,
        name=name,
        type=portal_request.type,
        link=_link(workstation),
        facts=_list_facts(portal_request.type, name, place),
        ended_at=workstation.ended_at,
        uid=in_its_place.uid if in_its_place and _link(in_its_place) else "",
        again={} if in_its_place else again,
    )


def _name(workstation: models.Workstation) -> str:
    note = workstation.request.note if workstation.request else ""
    return note or _name_workspace(workstation) or models.label_type(workstation.type)


def _name_workspace(workstation: models.Workstation) -> str:
    """Empty where the workspace is somebody else's."""
    workspace, portal_request = workstation.workspace, workstation.request
    is_own = workspace and portal_request and workspace.owner_id == portal_request.requester_id
    return workspace.name if workspace and is_own else ""


def _list_facts(type: str, name: str, *more: str) -> list[str]:
    """Two at most, and none that the name says."""
    return [fact for fact in (models.label_type(type), *more) if fact and fact != name][:2]


def _link(workstation: models.Workstation) -> str:
    try:
        return reverse("workstation_detail", args=[workstation.uid])
    except NoReverseMatch:  # the provider's IDs may be anything
        return ""


def offer_type(type: str) -> Tile:
    """A workstation of this type, with a new workspace, for as long as the form presets."""
    values = {"type": type, "submission": uuid4()}
    return Tile(name=models.label_type(type), what=_("new workspace"), values=values)


def offer_again(earlier: models.Request, *, workspace: str) -> Tile:
    """Another one like that; `workspace`: what the one that it asked for is called."""
    where = _("in %(workspace)s") % {"workspace": workspace} if workspace else _("new workspace")
    return Tile(
        name=earlier.note or models.label_type(earlier.type),
        what=", ".join([*_list_facts(earlier.type, earlier.note or models.label_type(earlier.type)), where]),
        values=forms.RequestForm.repeat(earlier) | {"submission": uuid4()},
    )
