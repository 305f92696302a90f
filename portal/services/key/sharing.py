"""Whether somebody else uses the key too: then an operator confirms what the portal would adopt by itself."""

from datetime import timedelta

from django.db import transaction
from django.db.models import BigIntegerField, QuerySet

from portal import models
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import circuit_breaker

_WIDE = timedelta(hours=1)  # by which the provider's clock may be ahead of ours, and begin what was asked for late


def note_sharing(*, account: models.Account) -> None:
    """Note on the account that somebody else uses its key, where a workstation is listed that no attempt explains."""
    if account.shared_at is not None:
        return
    stranger = next((row for row in _read_orphans(account_id=account.pk) if not _is_explained(row)), None)
    if stranger is None:
        return
    with transaction.atomic():
        circuit_breaker.lock_key(account=account)
        models.Account.objects.filter(pk=account.pk).update(shared_at=Now())
        audit.record(
            Verb.NOTE_SHARING,
            account,
            detail={"workstation": stranger.uid, **audit.describe_moment(row=account, column="shared_at")},
        )


@compiled(account_id=BigIntegerField())
def _read_orphans(*, account_id: int) -> QuerySet[models.Workstation]:
    orphans = models.Workstation.objects.orphans().filter(account=account_id, listed_tick__isnull=False, made_for=None)
    return orphans.order_by("id")


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
    if stranger.created_at is not None:
        attempts = attempts.filter(deadline_at__gte=stranger.created_at - _WIDE)
    return attempts.exists()
