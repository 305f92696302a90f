"""Slows down guessing passwords: failures are counted in the database, for all machines together.

A failure counts for the name that was tried and for the address that it came from; where that name has signed in in the
same browser before, for the browser alone; and while somebody is signed in, for that person alone. So a guesser,
elsewhere or at the same address, locks nobody out of a browser that they use. After a few, the next try has to wait,
each time twice as long. Names that nobody has are counted as any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal import models
from portal.models.event import Verb
from portal.services import audit

type Kind = Literal["name", "address", "browser", "person", "token", "code"]

# Failures that cost nothing. Many people may share an address. `token`: wrong ones that come from an address; `code`:
# those that programs there asked for, until one gets its token.
_FREE: dict[Kind, int] = {"name": 5, "address": 20, "browser": 10, "person": 10, "token": 20, "code": 20}
_FIRST_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(days=1)


class TooManyFailures(Exception):
    """Signing in has failed too often: the next try has to wait so many seconds."""

    def __init__(self, *, seconds: int) -> None:
        super().__init__(f"wait {seconds} seconds")
        self.seconds = seconds


class TooManyHashings(Exception):
    """So many passwords are being looked at that another one would have to wait for too long."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whose failures are counted together."""

    kind: Kind
    value: str

    @property
    def digest(self) -> str:
        """Reveals nothing to who reads the table: people type passwords into the field for names."""
        return salted_hmac(f"throttle {self.kind}", self.value, algorithm="sha256").hexdigest()


def list_subjects(*, name: str, address: str, browser: str, is_signed_in: bool = False) -> list[Subject]:
    """For whom a try counts. `address` is empty for a proxy's own, `browser` where the name never signed in in it."""
    if is_signed_in:
        return [Subject(kind="person", value=name)]
    if browser:
        return [Subject(kind="browser", value=f"{browser} {name}")]
    return [Subject(kind="name", value=name), *([Subject(kind="address", value=address)] if address else [])]


def refuse_waiting(*, subjects: Sequence[Subject]) -> None:
    """Raise TooManyFailures where a try has to wait: one query, before it stands in any queue or locks anything."""
    _refuse_waiting(models.Limit.objects.filter(who__in=[subject.digest for subject in subjects]))


@transaction.atomic
def count_try(*, subjects: Sequence[Subject], name: str) -> None:
    """Count a try as failed before the password is looked at, so that many at one time are counted too.

    Raises TooManyFailures where it has to wait; then it does not count. `name` is only for the audit log.
    """
    # Always in one order: two tries for the same ones would otherwise wait for each other.
    ordered, locked = sorted(subjects, key=lambda one: one.digest), models.Limit.objects.select_for_update()
    rows = [(subject, locked.get_or_create(kind=subject.kind, who=subject.digest)[0]) for subject in ordered]
    _refuse_waiting([row for _, row in rows])
    for subject, row in rows:
        now = timezone.now()
        is_old = row.at < now - _FORGOTTEN_AFTER
        row.count, row.at, row.blocked_until = (1 if is_old else row.count + 1), now, None
        if (excess := row.count - _FREE[subject.kind]) >= 0:
            row.blocked_until = now + min(_FIRST_WAIT * 2 ** min(excess, 20), _LONGEST_WAIT)
            _note_block(subject, row, name=name)
        row.save()


@transaction.atomic
def forget_failures(*, subjects: Sequence[Subject]) -> None:
    """After the right password: nothing stands against the name or the browser any more, one try less the address."""
    for subject in sorted(subjects, key=lambda one: one.digest):
        rows = models.Limit.objects.filter(kind=subject.kind, who=subject.digest)
        if subject.kind == "address":
            rows.filter(count__gt=0).update(count=F("count") - 1, blocked_until=None)
        else:
            rows.delete()


def prune_throttles() -> None:
    """Forget what is a day old, and is in an event."""
    models.Limit.objects.filter(at__lt=timezone.now() - _FORGOTTEN_AFTER, left_out=0).delete()


def count_blocked() -> int:
    """How many names, addresses and browsers were made to wait within the last hour."""
    since = timezone.now() - timedelta(hours=1)
    return models.Limit.objects.filter(kind__in=_FREE, blocked_until__gt=since).count()


def _refuse_waiting(rows: Iterable[models.Limit]) -> None:
    now = timezone.now()
    waits = [row.blocked_until - now for row in rows if row.blocked_until]
    # A wait beyond the longest was made by a clock that was ahead.
    waits = [wait for wait in waits if timedelta(0) < wait <= _LONGEST_WAIT]
    if waits:
        raise TooManyFailures(seconds=int(max(waits).total_seconds()) + 1)


def _note_block(subject: Subject, row: models.Limit, *, name: str) -> None:
    if subject.kind in ("address", "token", "code"):
        target: models.User | str = f"address {subject.value}"
    else:
        known = subject.value if subject.kind == "person" else name
        target = models.User.objects.filter(username=known).first() or "a name that nobody has"
    until = row.blocked_until and row.blocked_until.isoformat()
    detail = {"of": subject.kind, "failures": row.count, "until": until}
    audit.record(Verb.SIGN_IN_BLOCKED, target, detail=detail, rows=())
