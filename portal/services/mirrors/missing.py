"""Missing: workstations that AgentStation no longer finds, though nothing has shown that they ended."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import key_lock
from portal.services.mirrors import mirror

_DAY = 1440  # times the grace, which is a minute: rehearsals shorten both together


class NotMissing(Exception):
    """The workstation has ended, was found again, or was missed too lately; the message is fit for the person."""


def note_missing(*, key: models.Key, stored: models.Workstation, why: str) -> None:
    """Note under the locked key that a live workstation was not found. `why` names the call that did not find it."""
    if stored.ended_at is not None or stored.missing_since is not None:
        return
    stored.change(missing_since=Now(), missing_tick=key_lock.advance_tick(key=key))
    detail = {"why": why, **audit.describe_moment(row=stored, column="missing_since")}
    audit.record(Verb.MISSING, stored, detail=detail)


def note_found(*, stored: models.Workstation) -> None:
    """Note that a locked workstation is no longer missing, with an event."""
    if stored.missing_since is None:
        return
    before = stored.missing_since.isoformat()
    stored.change(missing_since=None, missing_tick=None)
    detail = {"before": {"missing_since": before}, "after": {"missing_since": None}}
    audit.record(Verb.FOUND_AGAIN, stored, detail=detail)


def end_workstation(
    *, stored: models.Workstation, before: dict[str, str | None], by: models.User | None = None, reason: str = ""
) -> None:
    """Note that a workstation has ended: the provider has shown it, or a person says so.

    `before` is what describe_life said of it.
    """
    if stored.ended_at is None:
        mirror.end_workstation(stored=stored)
    stored.refresh_from_db(fields=["ended_at"])
    verb = Verb.RELEASED if stored.release_requested_at and by is None else Verb.ENDED
    detail = {"before": before, "after": describe_life(stored=stored)}
    audit.record(verb, stored, by=by, reason=reason, detail=detail)


def describe_life(*, stored: models.Workstation) -> dict[str, str | None]:
    """Status and end as an event has them."""
    return {"status": stored.status, "ended_at": stored.ended_at.isoformat() if stored.ended_at else None}


def may_be_declared_ended(*, workstation: models.Workstation) -> bool:
    """Whether it has been missing for long enough that a person may say so."""
    return _list_old().filter(pk=workstation.pk).exists()


@transaction.atomic
def declare_ended(*, actor: models.User, workstation: models.Workstation, reason: str = "") -> None:
    """Say that a workstation has ended which nobody has found for a day, or can ask about. Raises NotMissing."""
    key_lock.lock_key(account=workstation.account)
    stored = _list_old().select_for_update().filter(pk=workstation.pk).first()
    if stored is None:
        raise NotMissing(_("This workstation has already ended, was found again, or has been missing for under a day."))
    end_workstation(stored=stored, before=describe_life(stored=stored), by=actor, reason=reason)


def _list_old() -> QuerySet[models.Workstation]:
    day = timedelta(seconds=_DAY * settings.PORTAL_RECONCILE_GRACE)
    is_nameless = Q(is_nameless=True, ended_at=None)
    return models.Workstation.objects.filter(is_nameless | Q(missing_since__lte=Now() - day, ended_at=None))
