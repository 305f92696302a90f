"""What a person, an address, a program or a failed sign-in may do in a time; and for what costs others how often one
person may do it, counted in the database for all machines, with the events of what was refused."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext

from portal import models
from portal.db import clock, describe_failure
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit

logger = logging.getLogger(__name__)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Kind:
    """What is counted, by its name in the table: how often it may be done in a window, and a sentence that says so.

    A window begins with the first; of tries to sign in, anew with each, and one more than these has to wait.
    """

    name: str
    most: int = 1
    window: timedelta = MINUTE
    words: str | Promise = ""


# Of a person.
SUBMISSION = Kind("submission", 60, words=gettext_lazy("You can submit 60 requests a minute."))
OPENING = Kind("opening", 10, words=gettext_lazy("You can open 10 connections a minute."))
PASSING = Kind("passing", 60, words=gettext_lazy("You can have 60 calls a minute passed on."))
ACT = Kind("act", 30, words=gettext_lazy("You can make 30 changes a minute."))  # an HTTP request that writes an event
SIGN_IN = Kind("sign-in", 30, words=gettext_lazy("You can sign in 30 times a minute."))  # and a new password
CODE = Kind("code", 10, words=gettext_lazy("You can type 10 codes a minute."))
REFUSAL = Kind("refusal", 10)  # of events, and nobody's to know

# Tries to sign in that cost nothing. Many people may share an address.
NAME = Kind("name", 5, DAY)
BROWSER = Kind("browser", 10, DAY)
PERSON = Kind("person", 10, DAY)
ADDRESS = Kind("address", 20, DAY)
TOKEN = Kind("token", 20, DAY)  # wrong ones that come from an address
PROGRAM = Kind("code", 20, DAY)  # codes that programs at an address asked for, until one gets its token

FAILURE = Kind("failure", window=timedelta(minutes=15))  # events of failed sign-ins, of one account or address
ROOM = Kind("room", window=timedelta(seconds=5))  # longer than a page waits before it tries to open again

_LONGEST = 300  # characters
# A dictionary for who wants to know: the limit counted in last, what is left of it, and seconds until its window ends.
LEFT: ContextVar[dict[str, int]] = ContextVar("left")


class Limited(Exception):
    """It was done too often; the message is fit for the person. `seconds`: until it may be done again."""

    def __init__(self, *, kind: Kind, person: models.User, rows: QuerySet[models.Limit], seconds: int) -> None:
        self.kind, self.person, self.rows, self.seconds = kind, person, rows, seconds
        wait = ngettext("Try again in %(count)d second.", "Try again in %(count)d seconds.", seconds)
        super().__init__(f"{kind.words} {wait % {'count': seconds}}")


def count_one(*, kind: Kind, person: models.User) -> None:
    """Count it in the caller's transaction, as one of its last steps: until its end others of the same kind and person
    wait. Raises Limited where it would be one too many."""
    if not settings.PORTAL_LIMITS:
        return
    rows = models.Limit.objects.filter(kind=kind.name, who=str(person.pk))
    # A statement that waited for another has an earlier time than that one wrote.
    is_current = Q(at__gt=Now() - kind.window, at__lt=Now() + kind.window)
    while not (
        rows.filter(is_current, count__lt=kind.most).update(count=F("count") + 1)
        or rows.exclude(is_current).update(count=1, at=Now())
    ):
        row = rows.first()
        if row and row.count >= kind.most:
            raise Limited(kind=kind, person=person, rows=rows, seconds=_note_left(kind, row))
        models.Limit.objects.bulk_create([models.Limit(kind=kind.name, who=str(person.pk))], ignore_conflicts=True)
    if kind is not REFUSAL and LEFT.get(None) is not None:
        _note_left(kind, rows.get())


def _note_left(kind: Kind, row: models.Limit) -> int:
    """For who wants to know. Returns the seconds."""
    seconds = max(1, math.ceil((row.at + kind.window - clock.read_clock()).total_seconds()))
    LEFT.get({}).update(Limit=kind.most, Remaining=max(0, kind.most - row.count), Reset=seconds)
    return seconds


def record_refusal(*, person: models.User, act: str, status: int) -> None:
    """Note that the person was refused: `act` is the HTTP request's method and path. Never raises for the database."""
    try:
        with _writing():
            count_one(kind=REFUSAL, person=person)
            audit.record(Verb.REFUSED, act[:_LONGEST], by=person, detail={"status": status})
    except Limited as error:
        record_limit(limited=error, act=act, status=status)


def record_limit(*, limited: Limited, act: str = "", status: int = 429) -> None:
    """Note that it was done too often: one event a window, with the number of the refusals before it that have none."""
    with _writing():
        row = limited.rows.select_for_update().get()
        if row.count == limited.kind.most:  # of this window there is none yet
            target = act or f"more than {limited.kind.most} {limited.kind.name}s a minute"
            detail = {"status": status, "left_out": row.left_out}
            audit.record(Verb.REFUSED, target[:_LONGEST], by=limited.person, detail=detail)
            limited.rows.update(count=row.count + 1, left_out=0)
        else:
            limited.rows.update(left_out=row.left_out + 1)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        logger.warning("%s A refusal is not in the audit log.", describe_failure(error))


def keep_room(*, account: models.Account) -> None:
    """Leave the next call to an opening that found no room: somebody waits for it, and it is tried again soon."""
    models.Limit.objects.update_or_create(kind=ROOM.name, who=str(account.pk), defaults={"at": Now()})


def count_kept_room(*, account: models.Account) -> int:
    """The calls that are left to openings."""
    rows = models.Limit.objects.filter(kind=ROOM.name, who=str(account.pk))
    return rows.filter(at__gt=Now() - ROOM.window).count()
