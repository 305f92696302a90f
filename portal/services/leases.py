"""Leases: a duty is done by one worker at a time."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from portal import models
from portal.models.clock import Now


class LeaseLost(Exception):
    """Another worker has taken the duty over in the meantime."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A lease that this worker holds, as of its epoch."""

    name: str
    epoch: int


@transaction.atomic
def take_lease(*, name: str, holder: str, seconds: float) -> Held | None:
    """Take or prolong a lease for some seconds; None while another worker holds it."""
    models.Lease.objects.get_or_create(name=name, defaults={"holder": "", "expires_at": Now()})
    expires_at = Now() + timedelta(seconds=seconds)
    lease = models.Lease.objects.select_for_update().get(name=name)
    if lease.holder == holder:
        models.Lease.objects.filter(name=name).update(expires_at=expires_at)
        return Held(name=name, epoch=lease.epoch)
    taken = models.Lease.objects.filter(name=name, expires_at__lte=Now()).update(
        holder=holder, epoch=lease.epoch + 1, expires_at=expires_at
    )
    return Held(name=name, epoch=lease.epoch + 1) if taken else None


def check_lease(*, held: Held) -> None:
    """Raise LeaseLost unless the lease is still ours; it stays so until the caller's transaction ends."""
    if not models.Lease.objects.select_for_update().filter(name=held.name, epoch=held.epoch).exists():
        raise LeaseLost(f"another worker has taken over the duty {held.name}")


def prolong_leases(*, holder: str, seconds: float) -> None:
    """Keep the leases that a living worker still holds, however long its duty takes."""
    models.Lease.objects.filter(holder=holder, expires_at__gt=Now()).update(
        expires_at=Now() + timedelta(seconds=seconds)
    )


def drop_leases(*, holder: str) -> None:
    """Let the leases of a worker that stops expire now, so that the next one need not wait."""
    models.Lease.objects.filter(holder=holder).update(expires_at=Now())
