"""Whether somebody else uses the key too: then an operator confirms what the portal would adopt by itself."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import circuit_breaker, key_lock

_WIDE = timedelta(hours=1)  # by which the provider's clock may be ahead of ours, and begin what was asked for late


def note_sharing(*, account: models.Account, lag: timedelta) -> None:
    """Note that somebody else uses the account's key, where a workstation is listed that nothing here explains."""
    if account.shared_at is not None:
        return
    orphans = models.Workstation.objects.orphans().filter(account=account, listed_tick__gt=account.unshared_tick)
    found = orphans.filter(made_for=None).select_related("account").order_by("id")
    stranger = next((row for row in found if not (_is_lost(row, lag=lag) or _is_explained(row))), None)
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


def _is_lost(stranger: models.Workstation, *, lag: timedelta) -> bool:
    """Whether a call may have created it that is lost, because a backup was put back."""
    began = _find_beginning(stranger) or stranger.first_seen_at
    restores = models.Restore.objects.filter(account=stranger.account_id, lost_since__lte=began + _WIDE)
    return restores.filter(restored_at__gte=began - _WIDE - lag).exists()


def _is_explained(stranger: models.Workstation) -> bool:
    """Whether an attempt of unknown outcome may have created it, in the widest reading; one of long ago has not."""
    attempts = models.Attempt.objects.filter(
        request__account=stranger.account_id,
        outcome=models.Attempt.Outcome.UNKNOWN,
        claimed_tick__lt=stranger.listed_tick or 0,
    )
    if stranger.type in models.Request.Type.values:
        others = set(models.Request.Type.values) - {stranger.type}
        attempts = attempts.exclude(request__type__in=others)
    if (began := _find_beginning(stranger)) is not None:
        attempts = attempts.filter(deadline_at__gte=began - _WIDE)
    return attempts.exists()


def _find_beginning(stranger: models.Workstation) -> datetime | None:
    offset = timedelta(seconds=stranger.account.started_offset or 0.0)
    return stranger.created_at and stranger.created_at - offset
