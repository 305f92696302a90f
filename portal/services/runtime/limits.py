"""Limits for what costs others: how often one person may do something, counted in the database for all machines."""

import math
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext

from portal import models
from portal.db import clock
from portal.models.clock import Now

WINDOW = timedelta(minutes=1)


@dataclass(frozen=True)
class Kind:
    """What is counted, how often it may be done in a window, and a sentence that says so."""

    name: str
    most: int
    words: str | Promise = ""


SUBMISSION = Kind("submission", 60, gettext_lazy("You can submit 60 requests a minute."))
OPENING = Kind("opening", 10, gettext_lazy("You can open 10 connections a minute."))
PASSING = Kind("passing", 60, gettext_lazy("You can have 60 calls a minute passed on."))
ACT = Kind("act", 30, gettext_lazy("You can make 30 changes a minute."))  # an HTTP request that writes an event
SIGN_IN = Kind("sign-in", 30, gettext_lazy("You can sign in 30 times a minute."))  # and a new password
CODE = Kind("code", 10, gettext_lazy("You can type 10 codes a minute."))
REFUSAL = Kind("refusal", 10)  # of events, and nobody's to know

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
    is_current = Q(at__gt=Now() - WINDOW, at__lt=Now() + WINDOW)
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
    seconds = max(1, math.ceil((row.at + WINDOW - clock.read_clock()).total_seconds()))
    LEFT.get({}).update(Limit=kind.most, Remaining=kind.most - row.count, Reset=seconds)
    return seconds
