"""Leases: a job is done by one worker at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction as database
from django.db.models import Q

from portal import agentstation, models
from portal.models.clock import Now

_OVERDUE = timedelta(seconds=60)
_SLACK = timedelta(seconds=2)


class LeaseLost(Exception):
    """Another worker has taken the job over in the meantime, or this one is to end."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A lease that this worker holds, as of its fencing token; each renewal is for so many seconds.

    `before_renewal` is called at each step of the job, and may raise LeaseLost to end it there. `asked_at` is a reading
    of agentstation.boottime().
    """

    name: str
    token: int
    seconds: float = field(compare=False)
    asked_at: float = field(compare=False, repr=False)
    before_renewal: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)

    @property
    def is_fresh(self) -> bool:
        """Whether at least half of it is left, so that another round may begin without asking for it.

        Where the database's clock has stepped it may be lost all the same: then the job's next write finds that out.
        """
        return agentstation.boottime() - self.asked_at < self.seconds / 2

    def run[**Given, Result](self, do: Callable[Given, Result], *args: Given.args, **given: Given.kwargs) -> Result:
        """Do a round of the job, whose transactions renew this lease."""
        token = _HELD.set(self)
        try:
            return do(*args, **given)
        finally:
            _HELD.reset(token)


_HELD: ContextVar[Lease] = ContextVar("held")  # of the job that is being done


def get_lease() -> Lease:
    """The lease of the job that is being done. Raises LookupError where none is."""
    return _HELD.get()


@contextmanager
def transaction() -> Iterator[None]:
    """A transaction of the job that is being done, which renews its lease."""
    with database.atomic():
        renew_lease()
        yield


def acquire_lease(
    *, name: str, holder: str, seconds: float, before_renewal: Callable[[], None] = lambda: None
) -> Lease | None:
    """Acquire or renew a lease for some seconds; None while another worker holds it."""
    asked_at = agentstation.boottime()
    stored, _ = models.Lease.objects.get_or_create(name=name, defaults={"holder": "", "expires_at": Now()})
    rows, until = models.Lease.objects.filter(name=name, token=stored.token), Now() + timedelta(seconds=seconds)
    token = stored.token
    if stored.holder != holder:
        # Whoever changes the token first gets it. One that seems to last longer than any does was taken before the
        # clock stepped back, perhaps by a worker that has died since.
        rows = rows.filter(Q(expires_at__lte=Now()) | Q(expires_at__gt=until + _SLACK))
        token += 1
    if not rows.update(holder=holder, token=token, expires_at=until):
        return None
    return Lease(name=name, token=token, seconds=seconds, asked_at=asked_at, before_renewal=before_renewal)


def renew_lease() -> None:
    """Renew the job's lease, which stays ours until the caller's transaction ends. Raises LeaseLost where it is not.

    Called at each step of a job: one that does not come forward loses its lease.
    """
    lease = get_lease()
    lease.before_renewal()
    rows = models.Lease.objects.filter(name=lease.name, token=lease.token)
    if not rows.update(expires_at=Now() + timedelta(seconds=lease.seconds)):
        raise LeaseLost(f"another worker has taken over the job {lease.name}")


def drop_lease() -> None:
    """Let another worker take the current lease at once."""
    lease = get_lease()
    models.Lease.objects.filter(name=lease.name, token=lease.token).update(expires_at=Now())


def drop_leases(*, holder: str) -> None:
    """Let the leases of a worker that stops expire now, so that the next one need not wait."""
    models.Lease.objects.filter(holder=holder).update(expires_at=Now())


def list_overdue(*, holders: list[str]) -> list[str]:
    """The jobs whose lease has run out though its worker lives: they hang, and no other worker could take them over."""
    overdue = models.Lease.objects.filter(holder__in=holders, expires_at__lt=Now() - _OVERDUE)
    return list(overdue.order_by("name").values_list("name", flat=True))
