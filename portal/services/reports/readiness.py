"""Whether sending goes on, for machines that watch the portal: what stops it unannounced, and what else is odd."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from portal import models
from portal.db import clock
from portal.services.audit import nightly, seals, stream
from portal.services.key import circuit_breaker, credentials
from portal.services.limits import throttle
from portal.services.people import invitations
from portal.services.runtime import leases, workers

_SILENCE = timedelta(minutes=2)  # longer than a full minute's cap, or one call, can keep the queue waiting
_SLOW = timedelta(minutes=10)  # for which a request may wait without a pause
_SCAN_OVERDUE = 3  # intervals between scans
_LEAST_SCAN_OVERDUE = timedelta(minutes=15)


def find_stall() -> str:
    """Why nothing is sent though something waits and no pause says why; empty where all is well."""
    if not workers.list_living().exists():
        return "No worker has been seen lately: run `manage.py work`."
    key = circuit_breaker.get_current_key()
    now = clock.read_clock()
    if key.is_paused or not _is_silent(key, since=now - _SILENCE, now=now):
        return ""
    minutes = int(_SILENCE.total_seconds() / 60)
    return f"Requests wait, and for {minutes} minutes none was sent: the workers' logs say why."


def find_warnings() -> list[str]:
    """What an operator should look at, although this process can serve."""
    key = circuit_breaker.get_current_key()
    now = clock.read_clock()
    warnings = []
    if key.is_paused:
        warnings.append(f"Sending is paused: {key.cause_clause}.")
    living = list(workers.list_living().values_list("name", flat=True))
    asking = [one.seen_on for one in credentials.list_questions(account=key.account) if one.seen_on in living]
    if asking and not key.asks_for_account:
        warnings.append("A worker has an API key or a base URL that an operator has to confirm on the key's page.")
    patience = max(_LEAST_SCAN_OVERDUE, _SCAN_OVERDUE * timedelta(seconds=settings.PORTAL_SCAN_INTERVAL))
    last = models.Scan.objects.filter(account=key.account, is_complete=True).order_by("-id").first()
    since = last.ended_at if last and last.ended_at else key.account.created_at
    if since < now - patience:
        warnings.append(f"The provider's lists have not been read completely since {since:%Y-%m-%d %H:%M} UTC.")
    if late := models.Workstation.objects.late().filter(account=key.account).count():
        warnings.append(f"Workstations that should have ended ten minutes ago run on, so many: {late}.")
    if blocked := throttle.count_blocked():
        warnings.append(f"Somebody may guess passwords: {blocked} names, addresses or browsers had to wait this hour.")
    if unsent := invitations.list_unsent(since=now - timedelta(hours=1)):
        warnings.append(f"Sign-in links could not be mailed this hour, to so many: {len(unsent)}.")
    if models.User.objects.filter(link_asked_at__lt=now - timedelta(minutes=5)).exists():
        warnings.append("Somebody has waited for a sign-in link by mail for minutes: workers need EMAIL_URL, too.")
    warnings += nightly.find_warnings(now=now) + stream.find_warnings(now=now)
    if seals.describe_state().is_late:
        warnings.append("Events of the audit log have waited for their seal for minutes: they could be removed unseen.")
    overdue = leases.list_overdue(holders=living)
    return warnings + [f"The job {name} makes no progress." for name in overdue]


def find_slow_request() -> models.Request | None:
    """The request that waits longest, where that is too long and no pause says why; time under one does not count."""
    key = circuit_breaker.get_current_key()
    oldest = None if key.is_paused else models.Request.objects.due(key.account).first()
    if oldest is None:
        return None
    waited = (clock.read_clock() - oldest.queued_at).total_seconds()
    return oldest if waited - (key.paused_seconds - oldest.paused_seconds_before) > _SLOW.total_seconds() else None


def _is_silent(key: models.Key, *, since: datetime, now: datetime) -> bool:
    """Whether something could have been sent all the time since, and nothing was, nor is under way."""
    waiting = models.Request.objects.due(key.account).filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=since), queued_at__lte=since
    )
    if (key.pause_ended_at is not None and key.pause_ended_at > since) or not waiting.exists():
        return False
    attempts = models.Attempt.objects.filter(request__account=key.account)
    if attempts.filter(outcome=models.Attempt.Outcome.SENDING, deadline_at__gt=now).exists():
        return False
    sent = attempts.exclude(outcome=models.Attempt.Outcome.NOT_SENT)
    newest = sent.order_by("-id").first()
    return newest is None or newest.claimed_at <= since
