"""Ends what nobody ends any more: attempts past their deadline, requests that wait in vain."""

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from portal import failures, models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock, pace, steady_clock
from portal.services.mirrors import refreshing
from portal.services.requests import lifecycle, ownership, submissions
from portal.services.runtime import leases, workers


def expire_overdue(*, watched: steady_clock.SteadyClock) -> int:
    """Make attempts past their deadline unknown, give up what waited too long, and cancel what may not be sent.

    `watched` is the clock that this job keeps from one round to the next. Returns how many.
    """
    account = accounts.get_current_account()
    watched.observe(token=leases.get_lease().token)
    if watched.step:
        _add_step(account=account, watched=watched)
        watched.forget_step()
    _shorten_waits(account=account)
    count = _recover_attempts(watched=watched) + _cancel_unsendable()
    if not watched.steady_seconds:
        return count  # what has just stepped may still be added, by the worker that had the job
    oldest = Now() - timedelta(seconds=settings.PORTAL_LONGEST_WAIT)
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED, queued_at__lte=oldest)
    numbers = list(waiting.values_list("pk", flat=True))
    return count + sum(_give_up(request_id=pk, account=account) for pk in numbers)


@transaction.atomic
def _add_step(*, account: models.Account, watched: steady_clock.SteadyClock) -> None:
    """Add to queued_at what the clock has stepped: nobody has waited for that. It may have ended the lease."""
    key_lock.lock_key(account=account)
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED)
    before = waiting.exclude(queued_at__range=(Now() - timedelta(seconds=watched.interval), Now()))
    before.update(queued_at=F("queued_at") + timedelta(seconds=watched.step))


def _shorten_waits(*, account: models.Account) -> None:
    """Make due what a clock put off that has stepped back since: it is due later than anything ever is put off, or was
    tried in what is the future now. Where that is early, it is put off again."""
    ahead, longest = Now() + steady_clock.SLACK, timedelta(seconds=pace.LONGEST_RETRY_AFTER)
    read = max(timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL), refreshing.PATIENCE)
    attempts = models.Attempt.objects.filter(request=OuterRef("pk"))
    # What was never sent waits for nothing but to know whose a workspace is.
    is_early = Exists(attempts.filter(ended_at__gt=ahead)) | Q(next_attempt_at__gt=ahead + longest)
    is_early |= ~Exists(attempts) & Q(next_attempt_at__gt=ahead + ownership.PAUSE)
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED)
    live = models.Workstation.objects.live().filter(account=account)
    put_off: dict[str, QuerySet[models.Request] | QuerySet[models.Workstation]] = {
        "next_attempt_at": waiting.filter(is_early, next_attempt_at__gt=ahead),
        "release_due_at": live.filter(release_due_at__gt=ahead + longest),
        "refresh_due_at": live.filter(refresh_due_at__gt=ahead + read),
    }
    for field, rows in put_off.items():
        if rows.exists():
            with key_lock.holding(account=account):
                rows.update(**{field: Now()})


def end_dead_workers(*, name: str) -> None:
    """Make unknown what workers had under way whose process is gone, and let others have their jobs.

    `name` is the worker that looks. That such a call created nothing is believed only after its deadline.
    """
    for dead in workers.list_dead(name=name):
        for pk in _list_under_way().filter(worker=dead).values_list("pk", flat=True):
            _make_unknown(attempt_id=pk, is_over=Q(worker=dead), verb=Verb.WORKER_DIED)
        leases.drop_leases(holder=dead)
        workers.note_stopped(name=dead)


def _recover_attempts(*, watched: steady_clock.SteadyClock) -> int:
    # Or claimed before the clock stepped back, and steady since for as long as the whole call may take.
    steady = F("claimed_at") + timedelta(seconds=watched.steady_seconds)
    is_over = Q(deadline_at__lte=Now()) | Q(claimed_at__gt=Now() + steady_clock.SLACK, deadline_at__lte=steady)
    numbers = list(_list_under_way().filter(is_over).values_list("pk", flat=True))
    return sum(_make_unknown(attempt_id=pk, is_over=is_over, verb=Verb.DEADLINE_PASSED) for pk in numbers)


def _list_under_way() -> QuerySet[models.Attempt]:
    return models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING)


@transaction.atomic
def _make_unknown(*, attempt_id: int, is_over: Q, verb: Verb) -> bool:
    attempt = models.Attempt.objects.select_related("request__account").get(pk=attempt_id)
    key = key_lock.lock_key(account=attempt.request.account)
    if verb is Verb.DEADLINE_PASSED:  # a job's work; a dead worker's is ended by any other
        leases.renew_lease()
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
    change = lifecycle.make_unknown(portal_request=portal_request, count_attempt=True)
    audit.record(verb, attempt, detail=change, rows=[attempt, portal_request])
    return True


def _give_up(*, request_id: int, account: models.Account) -> bool:
    with key_lock.holding(account=account) as key:
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


def _cancel_unsendable() -> int:
    """Cancel what waits for somebody who may not ask for it any more, or for an account that an operator has left: it
    must not be bought with another one's key."""
    waiting = models.Request.objects.filter(status=models.Request.Status.QUEUED).select_related("account")
    forbidden = waiting.exclude(requester__in=submissions.list_submitters())
    reasons = dict.fromkeys(forbidden, _("Its requester may no longer request workstations."))
    foreign = _("It was meant for %(url)s, which isn't the account of the current key.")
    left = waiting.filter(account__retired_at__isnull=False)
    reasons |= {row: foreign % {"url": row.account.base_url} for row in left}
    withdraw = partial(submissions.withdraw_request, also=leases.renew_lease)
    return sum(withdraw(portal_request=row, reason=reason) for row, reason in reasons.items())
