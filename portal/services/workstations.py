"""Live workstations: told about again every few seconds, and given back."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal import agentstation, models
from portal.db import release_connection
from portal.models.clock import Now
from portal.services import accounts, audit, drift, keyhold, leases, mirror

_BATCH = 20  # workstations in one round of the duty, so that it stays short
_PATIENCE = timedelta(seconds=60)  # before one that could not be refreshed is tried again


class NotLive(Exception):
    """The workstation has ended, or is being given back already; the message is fit for the person."""


@transaction.atomic
def ask_release(*, actor: models.User, workstation: models.Workstation, reason: str = "") -> None:
    """Note that a workstation is to be given back; a worker tells the provider. Raises NotLive where it has ended.

    Whoever gives back what somebody else asked for says why.
    """
    asked = models.Workstation.objects.filter(pk=workstation.pk, ended_at=None, release_asked_at=None).update(
        release_asked_at=Now(), release_asked_by=actor, refresh_due_at=Now()
    )
    if not asked:
        raise NotLive(_("This workstation has ended, or is being given back already."))
    audit.record_event(
        actor=actor,
        verb="ask-release",
        target=workstation,
        request_number=workstation.request_id,
        detail=audit.describe_moment(row=workstation, column="release_asked_at"),
        reason=reason,
    )


def refresh_workstations(*, held: leases.Held, client: agentstation.Client) -> int:
    """Ask the provider about the live workstations that are due, or give them back. Returns how many were due."""
    account = accounts.get_current_account()
    # Another account's key would hear of all of ours that they are gone.
    if not keyhold.is_confirmed(account=account):
        return 0
    key = keyhold.get_key(account=account)
    if key.is_held and key.held_until is None:
        return 0  # every call would meet the same refusal
    due = models.Workstation.objects.live().filter(Q(refresh_due_at__lte=Now()), account=account)
    workstations = list(due.order_by("refresh_due_at")[:_BATCH])
    for workstation in workstations:
        _refresh(workstation=workstation, held=held, client=client)
    return len(workstations)


def _refresh(*, workstation: models.Workstation, held: leases.Held, client: agentstation.Client) -> None:
    release_connection()
    told: agentstation.Workstation | None = None
    released: agentstation.Released | None = None
    gone = True
    try:
        if workstation.release_asked_at is not None:
            released = client.release_workstation(uid=workstation.uid)
        else:
            told, gone = client.retrieve_workstation(uid=workstation.uid), False
    except agentstation.AssetNotFound:
        pass  # the provider does not have it any more
    except agentstation.AgentStationError:
        _postpone(workstation=workstation)
        return
    _record(workstation=workstation, told=told if not gone else None, released=released, held=held)


@transaction.atomic
def _record(
    *,
    workstation: models.Workstation,
    told: agentstation.Workstation | None,
    released: agentstation.Released | None,
    held: leases.Held,
) -> None:
    keyhold.lock_key(account=workstation.account)
    leases.check_lease(held=held)
    stored = models.Workstation.objects.select_for_update().get(pk=workstation.pk)
    if told is not None and told.uid == stored.uid:
        stored = mirror.store_workstation(
            account=workstation.account, workstation=told, request_number=stored.request_id
        )
    elif told is None and stored.is_live:
        mirror.end_workstation(stored=stored)
    if released is not None:
        drift.note_release(data=released.raw, request_number=stored.request_id)
    if stored.ended_at is not None:
        audit.record_event(
            actor=None,
            verb="released" if workstation.release_asked_at else "ended",
            target=stored,
            request_number=stored.request_id,
            detail={"before": _describe(workstation), "after": _describe(stored)},
        )


def _describe(workstation: models.Workstation) -> dict[str, str | None]:
    ended_at = workstation.ended_at
    return {"status": workstation.status, "ended_at": ended_at.isoformat() if ended_at else None}


def _postpone(*, workstation: models.Workstation) -> None:
    models.Workstation.objects.filter(pk=workstation.pk).update(refresh_due_at=Now() + _PATIENCE)
