"""What was put off by a clock that has stepped back since: it would wait until that clock has caught up."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import BigIntegerField, DurationField, Exists, OuterRef, Q, QuerySet

from portal import models
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.services.key import key_lock, pace, steady_clock
from portal.services.mirrors import refreshing
from portal.services.reconciliation import matching
from portal.services.requests import ownership
from portal.services.runtime import leases

type _Rows = QuerySet[models.Request] | QuerySet[models.Workstation]


def shorten_waits(*, account: models.Account, lease: leases.Lease) -> None:
    """Make due now what is put off for longer than anything ever is. Where that is early, it is put off again."""
    call = settings.PORTAL_SEND_MARGIN + settings.AGENTSTATION_TOTAL_TIMEOUT + settings.PORTAL_RECORD_MARGIN
    release = max(timedelta(seconds=max(pace.LONGEST_RETRY_AFTER, call)), pace.MINUTE)
    read = max(timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL), refreshing.PATIENCE)
    retry = timedelta(seconds=max(pace.LONGEST_RETRY_AFTER, matching.LONGEST_WAIT * settings.PORTAL_RECONCILE_GRACE))
    if _find_requests(account_id=account.pk, longest=retry):
        requests = _list_requests(account_id=account.pk, longest=retry)
        _make_due(requests, field="next_attempt_at", account=account, lease=lease)
    for field, longest in (("release_due_at", release), ("refresh_due_at", read)):
        if _find_live(account_id=account.pk, field=field, longest=longest):
            workstations = _list_live(account_id=account.pk, field=field, longest=longest)
            _make_due(workstations, field=field, account=account, lease=lease)


@transaction.atomic
def _make_due(rows: _Rows, *, field: str, account: models.Account, lease: leases.Lease) -> None:
    key_lock.lock_key(account=account)
    leases.renew_lease(lease=lease)
    rows.update(**{field: Now()})


def _list_requests(*, account_id: int, longest: timedelta) -> QuerySet[models.Request]:
    ahead = Now() + steady_clock.SLACK
    tried = models.Attempt.objects.filter(request=OuterRef("pk"), ended_at__gt=ahead)
    decided = models.Event.objects.filter(request_number=OuterRef("pk"), at__gt=ahead)
    waiting = models.Request.objects.filter(account=account_id, status=models.Request.Status.QUEUED)
    is_early = Q(next_attempt_at__gt=ahead + longest) | Exists(tried) | Exists(decided)
    # What was never sent waits for nothing but to know whose a workspace is.
    is_early |= ~Exists(models.Attempt.objects.filter(request=OuterRef("pk"))) & Q(
        next_attempt_at__gt=ahead + ownership.PAUSE
    )
    return waiting.filter(is_early, next_attempt_at__gt=ahead)


def _list_live(*, account_id: int, field: str, longest: timedelta) -> QuerySet[models.Workstation]:
    is_early = Q(**{f"{field}__gt": Now() + steady_clock.SLACK + longest})
    return models.Workstation.objects.live().filter(is_early, account=account_id)


_find_requests = compiled(account_id=BigIntegerField(), longest=DurationField())(_list_requests)
_find_live = compiled(account_id=BigIntegerField(), longest=DurationField())(_list_live)
