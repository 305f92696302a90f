"""The end of a workstation: chosen with its request, and changed by its owner or, with a reason, by an operator."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import key_lock
from portal.services.people import policy

LONGER = timedelta(hours=2)  # that one press adds
_LONG = timedelta(hours=24)  # after which operators look at what has no end

type _Choose = Callable[[models.Workstation, datetime], datetime | None]


class NotChanged(Exception):
    """The end stays as it is; the message is fit for the person."""


def list_changeable() -> QuerySet[models.Workstation]:
    """Those that live on. What the portal itself releases is still kept by who presses before that is sent."""
    is_kept = Q(release_requested_at=None) | Q(release_requested_by=None, release_tries=0)
    return models.Workstation.objects.live().filter(is_kept, request__isnull=False)


def is_unending() -> Q:
    """A condition on workstations that run: of a request, for a day, and nothing ends them."""
    return Q(ends_at=None, release_requested_at=None, request__isnull=False, first_seen_at__lte=Now() - _LONG)


def change_end(*, actor: models.User, workstation: models.Workstation, lifetime: str, reason: str = "") -> None:
    """Have it end so long from now, or never. Raises NotChanged where it has ended, or would live for too long."""
    length = models.read_lifetime(lifetime)
    _change(workstation, lambda _row, now: now + length if length else None, actor=actor, reason=reason)


def extend_life(*, actor: models.User, workstation: models.Workstation, reason: str = "") -> None:
    """Add two hours to its life, or what may be added of them. Raises NotChanged, also where it has no end."""
    _change(workstation, _add, actor=actor, reason=reason)


def _add(row: models.Workstation, now: datetime) -> datetime | None:
    """Of one that ends because nobody uses it: its own end again, where that is later."""
    if row.ends_at is None:
        raise NotChanged(_("No end is set."))
    if row.end_is_idle and row.planned_end_at is None:
        return None
    later = max(row.ends_at, now) + LONGER
    return max(later, row.planned_end_at) if row.planned_end_at else later


def _change(workstation: models.Workstation, choose: _Choose, *, actor: models.User, reason: str) -> None:
    with key_lock.deciding(account=workstation.account_id):
        _change_locked(workstation, choose, actor=actor, reason=reason)


def _change_locked(workstation: models.Workstation, choose: _Choose, *, actor: models.User, reason: str) -> None:
    rows = list_changeable().select_related("request").select_for_update(of=("self",))
    stored = rows.filter(pk=workstation.pk).first()
    if stored is None or stored.request is None:
        raise NotChanged(_("This workstation has ended, or is already being released."))
    now, before = clock.read_clock(), stored.ends_at
    ends_at = choose(stored, now)
    if stored.request.requester_id == actor.pk:  # what an operator decides has no bound
        ends_at = _bound(ends_at, before=before, now=now)
    stored.change(
        ends_at=ends_at,
        end_set_at=Now(),
        end_warnings=0,
        end_is_idle=False,
        planned_end_at=None,
        release_requested_at=None,
        release_due_at=None,
    )
    detail = {"before": describe_end(ends_at=before), "after": describe_end(ends_at=ends_at)}
    audit.record(Verb.SET_END, stored, by=actor, detail=detail, reason=reason)


def _bound(ends_at: datetime | None, *, before: datetime | None, now: datetime) -> datetime | None:
    """The end, or the last that may be chosen."""
    longest = policy.read_policy().longest
    if longest is None or (ends_at and ends_at <= now + longest):
        return ends_at
    if before is None or now + longest <= before:
        raise NotChanged(_("No later end may be chosen. Ask an operator."))
    return now + longest


def record_warning(*, workstation: models.Workstation) -> None:
    """Record in the caller's transaction that its end was announced."""
    why = "idle" if workstation.end_is_idle else "lifetime"
    detail = {"why": why, "warning": workstation.end_warnings, **describe_end(ends_at=workstation.ends_at)}
    audit.record(Verb.WARN_END, workstation, detail=detail, rows=())


def describe_end(*, ends_at: datetime | None) -> dict[str, str | None]:
    """The end as an event has it."""
    return {"ends_at": ends_at.isoformat(timespec="seconds") if ends_at else None}
