"""Whether somebody else uses the key too: then an operator confirms what the portal would adopt by itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import circuit_breaker, key_lock

_WIDE = timedelta(hours=1)  # by which the provider's clock may be ahead of ours, and begin what was asked for late
_LATELY = timedelta(days=1)  # in which the end was noted of one that only the history has shown


def note_sharing(*, account: models.Account, lag: timedelta) -> None:
    """Note that somebody else uses the account's key, where a workstation is listed that nothing here explains."""
    if account.shared_at is not None:
        return
    stranger = find_stranger(found=list_unowned(account=account, lag=lag), wide=choose_wide(account=account, lag=lag))
    if stranger is None:
        return
    with key_lock.holding(account=account):
        models.Account.objects.filter(pk=account.pk).update(shared_at=Now())
        change = audit.describe_moment(row=account, column="shared_at")
        audit.record(Verb.NOTE_SHARING, account, detail={"workstation": stranger.uid, **change})


@transaction.atomic
def clear_sharing(*, actor: models.User, account: models.Account) -> None:
    """Say that nobody else uses the key, until something newly listed shows it again. Raises PauseRefused."""
    key = key_lock.lock_key(account=account)
    before, tick = key.account.shared_at, key_lock.advance_tick(key=key)
    if before is None:
        raise circuit_breaker.PauseRefused(_("Somebody has already said that nobody else uses the API key."))
    models.Account.objects.filter(pk=account.pk).update(shared_at=None, unshared_tick=tick)
    change = {"before": {"shared_at": before.isoformat()}, "after": {"shared_at": None}}
    audit.record(Verb.CLEAR_SHARING, key.account, by=actor, detail=change)


def list_unowned(*, account: models.Account, lag: timedelta) -> list[models.Workstation]:
    """What was listed lately and nobody owns; not what a lost call may have created."""
    unclaimed = models.Workstation.objects.unclaimed().filter(account=account, listed_tick__gt=account.unshared_tick)
    rows = unclaimed.filter(Q(ended_at=None) | Q(ended_at__gt=Now() - _LATELY), made_for=None)
    return [row for row in rows.select_related("account") if not _is_lost(row, lag=lag)]


def choose_wide(*, account: models.Account, lag: timedelta) -> timedelta:
    """By how much clocks may differ, or only lists may lag where the account's offset was learned."""
    return _WIDE if account.started_offset is None else lag


def _is_lost(stranger: models.Workstation, *, lag: timedelta) -> bool:
    """Whether a call may have created it that is lost, because a backup was put back."""
    began = _find_beginning(stranger) or stranger.first_seen_at
    wide = choose_wide(account=stranger.account, lag=lag)
    restores = models.Restore.objects.filter(account=stranger.account_id, lost_since__lte=began + wide)
    return restores.filter(restored_at__gte=began - wide - lag).exists()


def find_stranger(*, found: Iterable[models.Workstation], wide: timedelta) -> models.Workstation | None:
    """One for which no attempt is left when each has created one at most; None where all can be explained."""
    makers: dict[models.Workstation, list[int]] = {}
    made: dict[int, models.Workstation] = {}

    def explain(row: models.Workstation, tried: set[int]) -> bool:
        """Find it a maker, if need be one whose own finds another (an augmenting path)."""
        for maker in makers[row]:
            if maker not in tried:
                tried.add(maker)
                if maker not in made or explain(made[maker], tried):
                    made[maker] = row
                    return True
        return False

    for row in found:
        makers[row] = list(list_makers(stranger=row, wide=wide).values_list("pk", flat=True))
        if not explain(row, set()):
            return row
    return None


def list_makers(*, stranger: models.Workstation, wide: timedelta) -> QuerySet[models.Attempt]:
    """The attempts of unknown outcome that may have created it, in the widest reading; one of long ago has not.

    Nor one whose request was given a workstation without an answer.
    """
    outcomes = models.Attempt.Outcome
    answered = models.Attempt.objects.filter(request=OuterRef("request"), outcome=outcomes.SUCCEEDED)
    attempts = models.Attempt.objects.filter(
        Q(request__workstation=None) | Exists(answered),
        request__account=stranger.account_id,
        outcome=outcomes.UNKNOWN,
        claimed_tick__lt=stranger.listed_tick or 0,
    )
    # What it made is known, or that it made nothing.
    named = models.Workstation.objects.filter(made_for=OuterRef("request"))
    attempts = attempts.exclude(late_response__outcome__in=(outcomes.FAILED, outcomes.NOT_SENT))
    attempts = attempts.exclude(Q(Exists(named), late_response__outcome=outcomes.SUCCEEDED))
    if stranger.type in models.Request.Type.values:
        others = set(models.Request.Type.values) - {stranger.type}
        attempts = attempts.exclude(request__type__in=others)
    if (began := _find_beginning(stranger)) is not None:
        attempts = attempts.filter(deadline_at__gte=began - wide)
    return attempts


def _find_beginning(stranger: models.Workstation) -> datetime | None:
    offset = timedelta(seconds=stranger.account.started_offset or 0.0)
    return stranger.created_at and stranger.created_at - offset
