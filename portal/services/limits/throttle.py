"""Slows down guessing passwords: failures are counted in the database, for all machines together.

A failure counts for the name that was tried and for the address that it came from; where that name has signed in in the
same browser before, for the browser alone; and while somebody is signed in, for that person alone. So a guesser,
elsewhere or at the same address, locks nobody out of a browser that they use. After a few, the next try has to wait,
each time twice as long. Names that nobody has are counted as any other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.limits import limits

# Whose tries are counted together. An empty value counts for nobody: a proxy's own address.
type Subjects = Mapping[limits.Kind, str]

_FIRST_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=15)


@dataclass(eq=False)
class TooManyFailures(Exception):
    """Signing in has failed too often: the next try has to wait so many seconds."""

    seconds: int


class TooManyHashings(Exception):
    """So many passwords are being looked at that another one would have to wait for too long."""


def refuse_waiting(*, subjects: Subjects) -> None:
    """Raise TooManyFailures where a try has to wait: one query, before it stands in any queue or locks anything."""
    _refuse_waiting(models.Limit.objects.filter(who__in=[who for who, _ in _list_keys(subjects)]))


@transaction.atomic
def count_try(*, subjects: Subjects) -> None:
    """Count a try as failed before the password is looked at, so that many at one time are counted too.

    Raises TooManyFailures where it has to wait; then it does not count.
    """
    locked = models.Limit.objects.select_for_update()
    rows = [(kind, locked.get_or_create(kind=kind.name, who=who)[0]) for who, kind in _list_keys(subjects)]
    _refuse_waiting(row for _, row in rows)
    for kind, row in rows:
        now = timezone.now()
        is_old = row.at < now - kind.window
        row.count, row.at, row.blocked_until = (1 if is_old else row.count + 1), now, None
        if (excess := row.count - kind.most) >= 0:
            row.blocked_until = now + min(_FIRST_WAIT * 2 ** min(excess, 20), _LONGEST_WAIT)
            detail = {"of": kind.name, "failures": row.count, "until": row.blocked_until.isoformat()}
            audit.record(Verb.SIGN_IN_BLOCKED, _find_target(kind, subjects[kind]), detail=detail, rows=())
        row.save()


@transaction.atomic
def forget_failures(*, subjects: Subjects) -> None:
    """After the right password: nothing stands against the name or the browser any more, one try less the address."""
    for who, kind in _list_keys(subjects):
        rows = models.Limit.objects.filter(kind=kind.name, who=who)
        if kind is limits.ADDRESS:
            rows.filter(count__gt=0).update(count=F("count") - 1, blocked_until=None)
        else:
            rows.delete()


def count_blocked() -> int:
    """How many names, addresses and browsers were made to wait within the last hour."""
    return models.Limit.objects.filter(blocked_until__gt=timezone.now() - timedelta(hours=1)).count()


def _list_keys(subjects: Subjects) -> list[tuple[str, limits.Kind]]:
    """Digests reveal nothing to who reads the table: people type passwords into the field for names.

    Always in one order: two tries for the same subjects would otherwise wait for each other.
    """
    return sorted(
        (salted_hmac(f"throttle {kind.name}", value, algorithm="sha256").hexdigest(), kind)
        for kind, value in subjects.items()
        if value
    )


def _refuse_waiting(rows: Iterable[models.Limit]) -> None:
    now = timezone.now()
    waits = [row.blocked_until - now for row in rows if row.blocked_until]
    # A wait beyond the longest was made by a clock that was ahead.
    waits = [wait for wait in waits if timedelta(0) < wait <= _LONGEST_WAIT]
    if waits:
        raise TooManyFailures(seconds=int(max(waits).total_seconds()) + 1)


def _find_target(kind: limits.Kind, value: str) -> models.User | str:
    if kind in (limits.ADDRESS, limits.TOKEN, limits.PROGRAM):
        return f"address {value}"
    name = value.partition(" ")[2] if kind is limits.BROWSER else value
    return models.User.objects.filter(username=name).first() or "a name that nobody has"


@transaction.atomic
def record_failed_sign_in(*, name: str, factor: str = "password") -> None:
    """Note a failure of an account, or of an address with a name that nobody has: the first of a window is an event.

    The rest of a window is in the next event, at its end at the latest. Such a name is not kept: people type their
    password there.
    """
    person, address = models.User.objects.filter(username=name).first(), audit.read_address()
    who = f"{person.pk if person else address} {factor}"
    row, is_new = models.Limit.objects.select_for_update().get_or_create(kind=limits.FAILURE.name, who=who)
    row.left_out, row.addresses[address] = row.left_out + 1, row.addresses.get(address, 0) + 1
    if is_new or _is_over(row):
        _record_failures(row, person)
        row.at = timezone.now()
    row.save()


def prune_limits() -> None:
    """Record failures of windows that are over, and forget what is a day old, and is in an event."""
    with audit.collect_events():
        rows = models.Limit.objects.select_for_update().filter(kind=limits.FAILURE.name, left_out__gt=0)
        for row in filter(_is_over, rows):
            account = row.who.split(" ")[0]
            _record_failures(row, models.User.objects.filter(pk=account).first() if account.isdecimal() else None)
            row.save()
    models.Limit.objects.filter(at__lt=timezone.now() - limits.DAY, left_out=0).delete()


def _is_over(row: models.Limit) -> bool:
    """Whether its window is; also where a clock was ahead."""
    return abs(timezone.now() - row.at) >= limits.FAILURE.window


def _record_failures(row: models.Limit, person: models.User | None) -> None:
    factor = row.who.rpartition(" ")[2]
    detail = {"factor": factor, "count": row.left_out, "addresses": row.addresses}
    audit.record(Verb.SIGN_IN_FAILED, person or "a name that nobody has", detail=detail, rows=())
    row.left_out, row.addresses = 0, {}
