"""Ends what nobody ends any more: attempts past their deadline, requests that waited too long."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from portal import failures, models
from portal.services import accounts, audit, clock, keyhold, leases


def recover_requests(*, held: leases.Held) -> int:
    """Make attempts past their deadline unknown, and give up requests that waited too long. Returns how many."""
    return _recover_attempts(held=held) + _give_up_waiting(held=held)


def _recover_attempts(*, held: leases.Held) -> int:
    overdue = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.SENDING, deadline_at__lte=Now())
    return sum(_make_unknown(attempt_id=pk, held=held) for pk in overdue.values_list("pk", flat=True))


@transaction.atomic
def _make_unknown(*, attempt_id: int, held: leases.Held) -> bool:
    attempt = models.Attempt.objects.select_related("request__account").get(pk=attempt_id)
    keyhold.lock_key(account=attempt.request.account)
    leases.check_lease(held=held)
    portal_request = models.Request.objects.select_for_update().get(pk=attempt.request_id)
    code = failures.NO_ANSWER.code
    ours = models.Attempt.objects.filter(
        pk=attempt_id, outcome=models.Attempt.Outcome.SENDING, deadline_at__lte=Now()
    ).update(outcome=models.Attempt.Outcome.UNKNOWN, failure=code, ended_at=Now())
    if not ours:
        return False  # its worker recorded it at the last moment
    models.check_transition(before=portal_request.status, after=models.Request.Status.UNKNOWN)
    portal_request.status, portal_request.failure = models.Request.Status.UNKNOWN, code
    portal_request.tries = F("tries") + 1
    portal_request.save(update_fields=["status", "failure", "tries"])
    audit.record_event(actor=None, verb="deadline-passed", target=attempt, request_number=portal_request.pk)
    return True


def _give_up_waiting(*, held: leases.Held) -> int:
    account = accounts.get_current_account()
    oldest = Now() - timedelta(seconds=settings.PORTAL_LONGEST_WAIT)
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED, queued_at__lte=oldest)
    return sum(_give_up(request_id=pk, account=account, held=held) for pk in waiting.values_list("pk", flat=True))


@transaction.atomic
def _give_up(*, request_id: int, account: models.Account, held: leases.Held) -> bool:
    key = keyhold.lock_key(account=account)
    leases.check_lease(held=held)
    portal_request = models.Request.objects.select_for_update().get(pk=request_id)
    now = clock.read_clock(account=account)
    standing = key.held_seconds + ((now - key.held_at).total_seconds() if key.held_at else 0.0)
    waited = (now - portal_request.queued_at).total_seconds() - (standing - portal_request.held_seconds_before)
    if portal_request.status != models.Request.Status.QUEUED or waited < settings.PORTAL_LONGEST_WAIT:
        return False
    models.check_transition(before=portal_request.status, after=models.Request.Status.FAILED)
    portal_request.status, portal_request.failure = models.Request.Status.FAILED, failures.WAITED_TOO_LONG.code
    portal_request.next_attempt_at, portal_request.ended_at = None, Now()
    portal_request.save(update_fields=["status", "failure", "next_attempt_at", "ended_at"])
    audit.record_event(actor=None, verb="give-up", target=portal_request, request_number=portal_request.pk)
    return True
