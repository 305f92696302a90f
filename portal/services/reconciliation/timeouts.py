"""Ends what nobody ends any more: attempts past their deadline, requests that wait in vain."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import DurationField, Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from portal import failures, models
from portal.db import clock
from portal.models.clock import Now
from portal.models.compiled import compiled
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock, pace, steady_clock
from portal.services.mirrors import refreshing
from portal.services.requests import lifecycle, submitters
from portal.services.runtime import leases, workers


def recover_requests(*, lease: leases.Lease, watched: steady_clock.SteadyClock) -> int:
    """Make attempts past their deadline unknown, give up what waited too long, and cancel what may not be sent.

    `watched` is the clock that this job keeps from one round to the next. Returns how many.
    """
    account = accounts.get_current_account()
    watched.observe(token=lease.token)
    if watched.step:
        _add_step(account=account, watched=watched)
    _shorten_waits(account=account, lease=lease)
    count = (
        _recover_attempts(lease=lease, watched=watched) + _cancel_foreign(lease=lease) + _cancel_forbidden(lease=lease)
    )
    if not watched.steady_seconds:
        return count  # what has just stepped may still be added, by the worker that had the job
    oldest = Now() - timedelta(seconds=settings.PORTAL_LONGEST_WAIT)
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED, queued_at__lte=oldest)
    numbers = list(waiting.values_list("pk", flat=True))
    return count + sum(_give_up(request_id=pk, account=account, lease=lease) for pk in numbers)


@transaction.atomic
def _add_step(*, account: models.Account, watched: steady_clock.SteadyClock) -> None:
    """Nobody has waited for what a clock has stepped: it is added to when a request was queued before the step.

    By whoever has seen the step, though its lease may have run out by that very step.
    """
    key_lock.lock_key(account=account)
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED)
    before = waiting.exclude(queued_at__range=(Now() - timedelta(seconds=watched.interval), Now()))
    before.update(queued_at=F("queued_at") + timedelta(seconds=watched.step))


def _shorten_waits(*, account: models.Account, lease: leases.Lease) -> None:
    """Make due what a clock put off that has stepped back since: it would wait until that has caught up.

    Where that is early, it is put off again.
    """
    for rows, field in _list_put_off(account):
        if rows.exists():
            with transaction.atomic():
                key_lock.lock_key(account=account)
                leases.renew_lease(lease=lease)
                rows.update(**{field: Now()})


def _list_put_off(account: models.Account) -> list[tuple[QuerySet[models.Request] | QuerySet[models.Workstation], str]]:
    """What is due later than anything ever is put off, or was tried in what is the future now; and by which column."""
    ahead, longest = Now() + steady_clock.SLACK, timedelta(seconds=pace.LONGEST_RETRY_AFTER)
    read = max(timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL), refreshing.PATIENCE)
    tried = Exists(models.Attempt.objects.filter(request=OuterRef("pk"), ended_at__gt=ahead))
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED)
    live = models.Workstation.objects.live().filter(account=account)
    return [
        (waiting.filter(tried | Q(next_attempt_at__gt=ahead + longest), next_attempt_at__gt=ahead), "next_attempt_at"),
        (live.filter(release_due_at__gt=ahead + longest), "release_due_at"),
        (live.filter(refresh_due_at__gt=ahead + read), "refresh_due_at"),
    ]


def end_dead_workers(*, name: str) -> None:
    """Make unknown what workers had under way whose process is gone, and let others have their jobs.

    `name` is the worker that looks. What such a call may have created is looked for at once. That it created nothing is
    believed only after its deadline.
    """
    for dead in workers.list_dead(name=name):
        for pk in _list_under_way().filter(worker=dead).values_list("pk", flat=True):
            _make_unknown(attempt_id=pk, is_over=Q(worker=dead), verb=Verb.WORKER_DIED)
        leases.drop_leases(holder=dead)
        workers.note_stopped(name=dead)


def _recover_attempts(*, lease: leases.Lease, watched: steady_clock.SteadyClock) -> int:
    steady = timedelta(seconds=watched.steady_seconds)
    return sum(
        _make_unknown(attempt_id=pk, is_over=is_over, verb=Verb.DEADLINE_PASSED, lease=lease)
        for is_over, numbers in ((_is_late(), _find_late()), (_is_stepped(steady), _find_stepped(steady=steady)))
        for pk in numbers
    )


def _is_late() -> Q:
    return Q(deadline_at__lte=Now())


def _is_stepped(steady: timedelta) -> Q:
    """Claimed before the clock stepped back, and steady since for as long as the whole call may take."""
    return Q(claimed_at__gt=Now() + steady_clock.SLACK, deadline_at__lte=F("claimed_at") + steady)


@compiled()
def _find_late() -> QuerySet[models.Attempt, int]:
    return _list_under_way().filter(_is_late()).values_list("pk", flat=True)


@compiled(steady=DurationField())
def _find_stepped(*, steady: timedelta) -> QuerySet[models.Attempt, int]:
    return _list_under_way().filter(_is_stepped(steady)).values_list("pk", flat=True)


def _list_under_way() -> QuerySet[models.Attempt]:
    return models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING)


@transaction.atomic
def _make_unknown(*, attempt_id: int, is_over: Q, verb: Verb, lease: leases.Lease | None = None) -> bool:
    attempt = models.Attempt.objects.select_related("request__account").get(pk=attempt_id)
    key = key_lock.lock_key(account=attempt.request.account)
    if lease is not None:
        leases.renew_lease(lease=lease)
    portal_request = models.Request.objects.select_for_update().get(pk=attempt.request_id)
    is_ours = attempt.update_where(
        _list_under_way().filter(is_over),
        outcome=models.Attempt.Outcome.UNKNOWN,
        failure=failures.NO_ANSWER.code,
        ended_at=Now(),
        ended_tick=key_lock.advance_tick(key=key),
    )
    if not is_ours:
        return False  # its worker recorded it at the last moment
    change = lifecycle.move_request(
        portal_request=portal_request,
        status=models.Request.Status.UNKNOWN,
        failure=failures.NO_ANSWER,
        count_attempt=True,
    )
    audit.record(verb, attempt, detail=change, rows=[attempt, portal_request])
    return True


@transaction.atomic
def _give_up(*, request_id: int, account: models.Account, lease: leases.Lease) -> bool:
    key = key_lock.lock_key(account=account)
    leases.renew_lease(lease=lease)
    portal_request = models.Request.objects.select_for_update().get(pk=request_id)
    now = clock.read_clock()
    standing = key.paused_seconds + (max(0.0, (now - key.paused_at).total_seconds()) if key.paused_at else 0.0)
    waited = (now - portal_request.queued_at).total_seconds() - (standing - portal_request.paused_seconds_before)
    if portal_request.status != models.Request.Status.QUEUED or waited < settings.PORTAL_LONGEST_WAIT:
        return False
    change = lifecycle.move_request(
        portal_request=portal_request, status=models.Request.Status.FAILED, failure=failures.WAITED_TOO_LONG
    )
    audit.record(Verb.GIVE_UP, portal_request, detail=change)
    return True


def _cancel_foreign(*, lease: leases.Lease) -> int:
    """Cancel what waits for an account that an operator has left: it must not be bought with another one's key."""
    reason = _("It was meant for %(url)s, which isn't the account of the current key.")
    return sum(_cancel(request_id=pk, reason=reason % {"url": url}, lease=lease) for pk, url in _read_foreign())


@compiled()
def _read_foreign() -> QuerySet[models.Request, tuple[int, str]]:
    waiting = models.Request.objects.filter(status=models.Request.Status.QUEUED, account__retired_at__isnull=False)
    return waiting.values_list("pk", "account__base_url")


def _cancel_forbidden(*, lease: leases.Lease) -> int:
    """Cancel what waits for somebody who may not ask for it any more."""
    reason = _("Its requester may no longer request workstations.")
    return sum(_cancel(request_id=pk, reason=reason, lease=lease) for pk in _find_forbidden())


@compiled()
def _find_forbidden() -> QuerySet[models.Request, int]:
    waiting = models.Request.objects.filter(status=models.Request.Status.QUEUED)
    return waiting.exclude(requester__in=submitters.list_submitters()).values_list("pk", flat=True)


@transaction.atomic
def _cancel(*, request_id: int, reason: str, lease: leases.Lease) -> bool:
    key_lock.lock_key(account=models.Account.objects.get(requests=request_id))
    leases.renew_lease(lease=lease)
    portal_request = models.Request.objects.select_for_update().get(pk=request_id)
    if portal_request.status != models.Request.Status.QUEUED:
        return False
    change = lifecycle.move_request(portal_request=portal_request, status=models.Request.Status.CANCELLED)
    audit.record(Verb.CANCEL, portal_request, detail=change, reason=reason)
    return True
